// SPDX-License-Identifier: MIT
//
// The text of track files: its head, what is escaped in it, stacks and mappings, and what becomes
// of errors.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "track/site_table.h"
#include "track/thread_state.h"
#include "track/track_file.h"
#include "track/tracker.h"

static char text[1 << 20];  // what was written, terminated

static int new_file(void)
{
  int file = memfd_create("track", MFD_CLOEXEC);
  CHECK(file >= 0);
  return file;
}

static void read_back(int file)
{
  ssize_t length = pread(file, text, sizeof text - 1, 0);
  CHECK(length >= 0);
  text[length] = '\0';
  close(file);
}

static bool has_line(const char *line)
{
  char whole[8192];
  snprintf(whole, sizeof whole, "\n%s\n", line);
  return strstr(text, whole) != NULL;
}

static void the_head_says_whose_file_it_is(void **state)
{
  (void)state;
  char line[128], path[4096];
  int file = new_file();
  assert_true(tracker_start(TRACKER_SAMPLED, 12345));
  assert_true(track_file_begin(file, "something"));
  assert_true(track_file_end());
  tracker_stop();
  read_back(file);
  assert_int_equal(strncmp(text, "mend-track 1\nkind something\npid ", 31), 0);
  snprintf(line, sizeof line, "pid %d", (int)getpid());
  assert_true(has_line(line));
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  assert_true(length > 0);
  path[length] = '\0';
  assert_non_null(strstr(text, path));
  assert_non_null(strstr(text, "\ncommand "));
  assert_true(has_line("mode sampled"));
  assert_true(has_line("interval 12345"));
  unsigned long seconds, rest;
  const char *time = strstr(text, "\ntime ");
  assert_non_null(time);
  assert_int_equal(sscanf(time, "\ntime %lu.%9lu\n", &seconds, &rest), 2);
  assert_true(seconds > 1000000000 && rest < 1000000000);
  assert_string_equal(text + strlen(text) - 5, "\nend\n");
}

static void what_is_no_plain_character_is_octal(void **state)
{
  (void)state;
  static const char odd[] = "a b\\c\t\x7f\xe9";
  int file = new_file();
  assert_true(track_file_begin(file, "k"));
  track_file_line("odd");
  track_file_text(odd, sizeof odd);  // the zero, too
  track_file_text("", 0);
  track_file_number(UINT64_MAX);
  track_file_hex(0xabc);
  track_file_end_line();
  assert_true(track_file_end());
  read_back(file);
  assert_true(has_line("odd a\\040b\\134c\\011\\177\\351\\000 \\000 18446744073709551615 0xabc"));
}

static void threads_are_named(void **state)
{
  (void)state;
  char name[32] = "", line[64];
  int file = new_file();
  CHECK(prctl(PR_GET_NAME, name, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_NAME, "two words", 0, 0, 0) == 0);
  struct thread_state *own = thread_state_enter();
  assert_non_null(own);
  thread_state_leave(own);
  assert_true(track_file_begin(file, "k"));
  assert_true(track_file_end());
  read_back(file);
  CHECK(prctl(PR_SET_NAME, name, 0, 0, 0) == 0);
  snprintf(line, sizeof line, "thread %u %u two\\040words", own->number, os_thread_number());
  assert_true(has_line(line));
}

static void a_stack_is_written_once_in_each_file(void **state)
{
  (void)state;
  static const uintptr_t addresses[] = {0x1234, 0xabcdef};
  char line[64];
  uint32_t number = site_table_find(addresses, 2);
  snprintf(line, sizeof line, "stack %u 0x1234 0xabcdef", number);
  for (int i = 0; i < 2; i++) {
    int file = new_file();
    assert_true(track_file_begin(file, "k"));
    track_file_stack(number);
    track_file_stack(0);
    track_file_stack(number);
    assert_true(track_file_end());
    read_back(file);
    const char *first = strstr(text, line);
    assert_non_null(first);
    assert_null(strstr(first + 1, "\nstack "));
  }
}

static int own_code(void)
{
  return 1;
}

static void code_is_found_by_the_maps(void **state)
{
  (void)state;
  uintptr_t code = (uintptr_t)own_code;
  bool is_found = false;
  int file = new_file();
  assert_true(track_file_begin(file, "k"));
  assert_true(track_file_end());
  read_back(file);
  for (const char *at = strstr(text, "\nmap "); at != NULL; at = strstr(at + 1, "\nmap ")) {
    size_t start, end, offset, inode;
    char rights[8], device[16], path[4096];
    assert_int_equal(sscanf(at, "\nmap %zx-%zx %7s %zx %15s %zu %4095s\n", &start, &end, rights,
                            &offset, device, &inode, path),
                     7);
    assert_int_equal(rights[2], 'x');
    if (code >= start && code < end) is_found = strstr(path, "test_track_file") != NULL;
  }
  assert_true(is_found);
}

static void errors_are_told_at_the_end(void **state)
{
  (void)state;
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  assert_true(full >= 0);
  assert_true(track_file_begin(full, "k"));
  for (int i = 0; i < 10000; i++) track_file_number(1000000);
  assert_false(track_file_end());
  assert_int_equal(errno, ENOSPC);
  close(full);
  assert_true(track_file_begin(-1, "k"));
  assert_false(track_file_end());
  assert_int_equal(errno, EBADF);
}

static void a_file_is_long(void **state)
{
  (void)state;
  int file = new_file();
  assert_true(track_file_begin(file, "k"));
  for (int i = 0; i < 50000; i++) {
    track_file_line("n");
    track_file_number((uint64_t)i);
    track_file_end_line();
  }
  assert_true(track_file_end());
  read_back(file);
  const char *at = strstr(text, "\nn 0\n");
  for (int i = 0; i < 50000; i++) {
    char line[16];
    int length = snprintf(line, sizeof line, "\nn %d", i);
    assert_int_equal(strncmp(at, line, (size_t)length), 0);
    at += length;
  }
}

// ---------------------------------------------------------------------------------------------
// One file at a time.

static void *try_to_acquire(void *is_taken)
{
  *(bool *)is_taken = track_file_acquire(false);
  CHECK(*(bool *)is_taken || errno == EBUSY);
  if (*(bool *)is_taken) track_file_release();
  return NULL;
}

static void begin_in_child(void)
{
  track_file_after_fork();
  CHECK(track_file_begin(new_file(), "k") && track_file_end());
}

static void *fork_child(void *unused)
{
  (void)unused;
  struct ending ending = child_run(begin_in_child);
  CHECK(ending.exit_code == 0);
  return NULL;
}

static void one_file_is_written_at_a_time(void **state)
{
  (void)state;
  bool is_taken = true;
  int file = new_file();
  assert_true(track_file_begin(file, "k"));
  assert_false(track_file_acquire(true));
  assert_int_equal(errno, EBUSY);
  assert_false(track_file_begin(file, "k"));
  threads_run(1, try_to_acquire, &is_taken, 0);
  assert_false(is_taken);
  threads_run(1, fork_child, NULL, 0);
  assert_true(track_file_end());
  threads_run(1, try_to_acquire, &is_taken, 0);
  assert_true(is_taken);
  close(file);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_head_says_whose_file_it_is),
      cmocka_unit_test(what_is_no_plain_character_is_octal),
      cmocka_unit_test(threads_are_named),
      cmocka_unit_test(a_stack_is_written_once_in_each_file),
      cmocka_unit_test(code_is_found_by_the_maps),
      cmocka_unit_test(errors_are_told_at_the_end),
      cmocka_unit_test(a_file_is_long),
      cmocka_unit_test(one_file_is_written_at_a_time),
  };
  return SUITE_RUN(tests);
}
