// SPDX-License-Identifier: MIT
//
// Track files that are written without a call: how they are called, when they are written, and
// what is said if they cannot be.
#define _GNU_SOURCE 1
#include "capture.h"
#include "child.h"
#include "../support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/options.h"
#include "core/registry.h"
#include "os/file.h"
#include "track/dump.h"
#include "track/track_file.h"
#include "track/tracker.h"

static char folder[] = "/tmp/mend-test-dump-XXXXXX";
static char pattern[128];

static void set_pattern(const char *name)
{
  snprintf(pattern, sizeof pattern, "%s/%s", folder, name);
  options.track_file = (uintptr_t)pattern;
}

static int start(void **state)
{
  (void)state;
  CHECK(folder_make(folder) && registry_init() && tracker_start(TRACKER_EXACT, 1));
  options.profile_signal = SIGUSR2;
  options.profile_growth = 1000;
  dump_start();
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  return folder_remove();
}

// Whether there is a file of this name that is whole. It is removed.
static bool take_file(const char *format, int number)
{
  char name[64], path[256], text[4096];
  snprintf(name, sizeof name, format, number);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length;
  size_t end = 0;
  while ((length = read(file, text + end, sizeof text - 1 - end)) > 0) {
    end += (size_t)length;
    if (end < sizeof text - 1) continue;
    memmove(text, text + 2048, end - 2048);
    end -= 2048;
  }
  close(file);
  CHECK(unlink(path) == 0);
  return end >= 5 && memcmp(text + end - 5, "\nend\n", 5) == 0;
}

static void files_are_numbered_but_for_the_last(void **state)
{
  (void)state;
  set_pattern("a.%p.b");
  dump_profile();
  errno = 4711;
  dump_profile();
  assert_int_equal(errno, 4711);
  dump_last_profile("");
  char name[64];
  snprintf(name, sizeof name, "a.%d.b", (int)getpid());
  assert_true(take_file(name, 0));
  strcat(name, ".%d");
  assert_true(take_file(name, 1));
  assert_true(take_file(name, 2));
  dump_last_profile(".more");
  snprintf(name, sizeof name, "a.%d.b.more", (int)getpid());
  assert_true(take_file(name, 0));
}

static void dump_in_child(void)
{
  dump_last_profile("");
  char name[64];
  snprintf(name, sizeof name, "plain.%d", (int)getpid());
  CHECK(take_file(name, 0));
  CHECK(!take_file("plain", 0));
}

static void a_child_does_not_write_to_its_parents_file(void **state)
{
  (void)state;
  set_pattern("plain");
  dump_last_profile("");
  assert_true(take_file("plain", 0));
  struct ending ending = child_run(dump_in_child);
  assert_string_equal(ending.text, "");
  assert_int_equal(ending.exit_code, 0);
}

static void a_signal_writes_one(void **state)
{
  (void)state;
  set_pattern("signal");
  CHECK(raise(SIGUSR2) == 0);
  assert_true(take_file("signal.%d", 3));
}

static void what_cannot_be_written_now_is_written_later(void **state)
{
  (void)state;
  struct heap *heap = registry_current();
  set_pattern("later");
  heap_enter(heap);
  CHECK(raise(SIGUSR2) == 0);
  dump_serve();
  heap_leave(heap);
  assert_false(take_file("later.%d", 4));
  dump_serve();
  assert_true(take_file("later.%d", 4));
  dump_serve();
  assert_false(take_file("later.%d", 5));

  assert_true(track_file_acquire(true));  // as if it interrupted who writes one
  CHECK(raise(SIGUSR2) == 0);
  track_file_release();
  assert_false(take_file("later.%d", 5));
  dump_serve();
  assert_true(take_file("later.%d", 5));
}

static void growth_writes_one_each_time(void **state)
{
  (void)state;
  set_pattern("growth");
  dump_look_at_growth(999);
  assert_false(take_file("growth.%d", 6));
  dump_look_at_growth(1500);
  assert_true(take_file("growth.%d", 6));
  dump_look_at_growth(2499);
  dump_look_at_growth(100);
  assert_false(take_file("growth.%d", 7));
  dump_look_at_growth(2500);
  assert_true(take_file("growth.%d", 7));
  dump_look_at_growth(64000);
  assert_true(take_file("growth.%d", 8));
  dump_look_at_growth(64000 + 64000 / 16 - 1);
  assert_false(take_file("growth.%d", 9));
  dump_look_at_growth(SIZE_MAX - 1);
  assert_true(take_file("growth.%d", 9));
  dump_look_at_growth(SIZE_MAX - 1);
  assert_false(take_file("growth.%d", 10));
}

static void what_goes_wrong_is_one_line(void **state)
{
  (void)state;
  set_pattern("none/none");
  capture_begin();
  dump_last_profile("");
  assert_int_equal(captured_lines(), 1);
  static const char beginning[] =
      "mend: the track file cannot be made: error 2: /tmp/mend-test-dump-";
  assert_int_equal(strncmp(captured.text, beginning, strlen(beginning)), 0);
  assert_non_null(strstr(captured.text, "/none/none\n"));
  options.track_file = (uintptr_t) "/dev/full";
  capture_begin();
  dump_last_profile(".more");  // a device has no such name
  assert_string_equal(captured.text, "mend: the track file could not be written whole: error 28\n");
  struct heap *heap = registry_current();
  heap_enter(heap);  // as if a handler that has interrupted it ended the process
  capture_begin();
  dump_last_profile("");
  heap_leave(heap);
  assert_string_equal(captured.text, "mend: the track file could not be written whole: error 16\n");
  options.profile_signal = SIGKILL;
  capture_begin();
  dump_start();
  assert_int_equal(captured_lines(), 1);
  capture_end();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_are_numbered_but_for_the_last),
      cmocka_unit_test(a_child_does_not_write_to_its_parents_file),
      cmocka_unit_test(a_signal_writes_one),
      cmocka_unit_test(what_cannot_be_written_now_is_written_later),
      cmocka_unit_test(growth_writes_one_each_time),
      cmocka_unit_test(what_goes_wrong_is_one_line),
  };
  return cmocka_run_group_tests(tests, start, remove_folder) == 0 ? TEST_PASS : TEST_FAIL;
}
