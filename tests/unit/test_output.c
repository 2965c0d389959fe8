// SPDX-License-Identifier: MIT
//
// Where text goes: to a function, to a descriptor, past interruptions, and nowhere when nobody can
// take it.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/output.h"
#include "capture.h"

enum { LONG_TEXT = 1 << 20 };

static char long_text[LONG_TEXT];

static void fill_long_text(void)
{
  for (size_t i = 0; i < sizeof long_text; i++) long_text[i] = (char)('a' + i % 23);
}

static void a_function_gets_the_text_and_its_argument(void **state)
{
  (void)state;
  capture_begin();
  output_write("one, two", 3);  // the length counts, not a terminator
  output_write("", 0);
  output_write("\0four", 5);
  capture_end();
  assert_int_equal(captured.calls, 3);
  assert_int_equal(captured.bytes, 8);
  assert_memory_equal(captured.text, "one\0four", 8);
}

static void without_a_function_the_descriptor_gets_it(void **state)
{
  (void)state;
  int pipes[2];
  char got[16];
  assert_int_equal(pipe(pipes), 0);
  output_set_descriptor(pipes[1]);
  output_write("first ", 6);
  capture_begin();
  output_write("hidden", 6);
  capture_end();
  output_write("last", 4);
  output_set_descriptor(STDERR_FILENO);
  close(pipes[1]);
  assert_int_equal(read(pipes[0], got, sizeof got), 10);
  assert_memory_equal(got, "first last", 10);
  close(pipes[0]);
}

static _Atomic(int) interruptions;

static void count_interruption(int signal_number)
{
  (void)signal_number;
  atomic_fetch_add(&interruptions, 1);
}

// Reads to the end, slowly, so that the writer blocks and is interrupted while it does.
static void *read_slowly(void *argument)
{
  int descriptor = *(int *)argument;
  static char got[LONG_TEXT + 1];
  size_t bytes = 0;
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarms, NULL);
  for (;;) {
    int before = atomic_load(&interruptions);
    // The first interruption ends the write that fills the pipe, the second one finds it full.
    while (bytes < LONG_TEXT / 2 && atomic_load(&interruptions) < before + 2) usleep(100);
    ssize_t count =
        read(descriptor, got + bytes, bytes < LONG_TEXT / 2 ? 50000 : sizeof got - bytes);
    if (count <= 0) break;
    bytes += (size_t)count;
  }
  CHECK(bytes == LONG_TEXT && memcmp(got, long_text, LONG_TEXT) == 0);
  return NULL;
}

static void an_interrupted_write_is_continued(void **state)
{
  (void)state;
  int pipes[2];
  pthread_t reader;
  struct sigaction action = {.sa_handler = count_interruption};  // without SA_RESTART
  struct itimerval each_ms = {{0, 1000}, {0, 1000}};
  struct itimerval never = {{0, 0}, {0, 0}};
  if (HAS_THREAD_SANITIZER) skip();  // it holds signals back from system calls it does not know
  fill_long_text();
  assert_int_equal(pipe(pipes), 0);
  assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
  assert_int_equal(pthread_create(&reader, NULL, read_slowly, &pipes[0]), 0);
  assert_int_equal(setitimer(ITIMER_REAL, &each_ms, NULL), 0);
  output_set_descriptor(pipes[1]);
  errno = 4711;
  output_write(long_text, sizeof long_text);
  assert_int_equal(errno, 4711);
  output_set_descriptor(STDERR_FILENO);
  setitimer(ITIMER_REAL, &never, NULL);
  close(pipes[1]);
  assert_int_equal(pthread_join(reader, NULL), 0);
  close(pipes[0]);
}

static void what_a_full_descriptor_does_not_take_is_dropped(void **state)
{
  (void)state;
  int pipes[2];
  static char got[LONG_TEXT];
  fill_long_text();
  assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
  output_set_descriptor(pipes[1]);
  errno = 4711;
  output_write(long_text, sizeof long_text);
  assert_int_equal(errno, 4711);
  output_set_descriptor(STDERR_FILENO);
  ssize_t bytes = read(pipes[0], got, sizeof got);
  assert_true(bytes > 0 && bytes < LONG_TEXT);
  assert_memory_equal(got, long_text, (size_t)bytes);
  close(pipes[0]);
  close(pipes[1]);
}

static void a_closed_descriptor_is_no_error(void **state)
{
  (void)state;
  output_set_descriptor(-1);
  errno = 4711;
  output_write("nobody", 6);
  assert_int_equal(errno, 4711);
  output_set_descriptor(STDERR_FILENO);
}

static char file_name[] = "/tmp/mend-test-XXXXXX";

// Of a descriptor that is closed while it is set, whose number a file of the program's gets.
static void a_file_that_got_the_number_gets_no_text(void **state)
{
  (void)state;
  int pipes[2];
  char got[16];
  int before = dup(STDERR_FILENO);
  assert_int_equal(pipe(pipes), 0);
  output_set_descriptor(pipes[1]);
  int file = mkstemp(file_name);
  assert_int_equal(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
  assert_int_equal(dup2(file, pipes[1]), pipes[1]);
  errno = 4711;
  output_write("by 2", 4);
  dup2(before, STDERR_FILENO);
  output_write("nowhere", 7);
  bool is_errno_kept = errno == 4711;
  output_set_descriptor(STDERR_FILENO);
  assert_true(is_errno_kept);
  assert_int_equal(read(pipes[0], got, sizeof got), 4);
  assert_memory_equal(got, "by 2", 4);
  assert_int_equal(lseek(file, 0, SEEK_END), 0);
  unlink(file_name);
  close(before);
  close(file);
  close(pipes[0]);
  close(pipes[1]);
}

static void a_write_to_a_descriptor_says_whether_it_worked(void **state)
{
  (void)state;
  int pipes[2];
  char got[16];
  assert_int_equal(pipe(pipes), 0);
  assert_true(output_write_to(pipes[1], "all of it", 9));
  assert_true(output_write_to(-1, "", 0));
  assert_int_equal(read(pipes[0], got, sizeof got), 9);
  assert_memory_equal(got, "all of it", 9);
  close(pipes[0]);
  close(pipes[1]);
  errno = 0;
  assert_false(output_write_to(pipes[1], "nowhere", 7));
  assert_int_equal(errno, EBADF);
}

static void a_complaint_has_its_number_however_long_the_name(void **state)
{
  (void)state;
  static char name[10000];
  memset(name, 'n', sizeof name - 1);
  capture_begin();
  output_complain("it broke", 28, NULL);
  output_complain("it broke", 2, "/a/file");
  assert_string_equal(captured.text,
                      "mend: it broke: error 28\nmend: it broke: error 2: /a/file\n");
  capture_begin();
  output_complain("it broke", 5, name);
  capture_end();
  assert_int_equal(strncmp(captured.text, "mend: it broke: error 5: nnn", 28), 0);
  assert_int_equal(captured.calls, 1);
  assert_int_equal(captured.text[captured.bytes - 1], '\n');
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_function_gets_the_text_and_its_argument),
      cmocka_unit_test(without_a_function_the_descriptor_gets_it),
      cmocka_unit_test(an_interrupted_write_is_continued),
      cmocka_unit_test(what_a_full_descriptor_does_not_take_is_dropped),
      cmocka_unit_test(a_closed_descriptor_is_no_error),
      cmocka_unit_test(a_file_that_got_the_number_gets_no_text),
      cmocka_unit_test(a_write_to_a_descriptor_says_whether_it_worked),
      cmocka_unit_test(a_complaint_has_its_number_however_long_the_name),
  };
  return SUITE_RUN(tests);
}
