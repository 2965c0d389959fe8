// SPDX-License-Identifier: MIT
//
// The track file of a misuse: what is in it, that each process writes one, and that nothing waits.
#define _GNU_SOURCE 1
#include "child.h"
#include "../support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "api/misuse_file.h"
#include "base/options.h"
#include "core/registry.h"
#include "os/thread.h"
#include "track/dump.h"
#include "track/track_file.h"

static char folder[] = "/tmp/mend-test-misuse-XXXXXX";
static char pattern[128];

static const struct os_stack called = {2, {0x1111, 0x2222}};
static const struct misuse misuse = {
    .what = "double free", .pointer = (void *)0x4000, .stack = &called};

static void start(void)
{
  CHECK(folder_make(folder) && registry_init() && tracker_start(TRACKER_EXACT, 1));
  snprintf(pattern, sizeof pattern, "%s/%%p", folder);
  options.track_file = (uintptr_t)pattern;
  dump_start();
}

// The text of this process's file, which is removed; "" if there is none.
static const char *take_text(void)
{
  static char text[1 << 16];
  char path[256];
  size_t end = 0;
  ssize_t length = 0;
  snprintf(path, sizeof path, "%s/%d.misuse", folder, (int)getpid());
  int file = open(path, O_RDONLY | O_CLOEXEC);
  while (file >= 0 && (length = read(file, text + end, sizeof text - 1 - end)) > 0) {
    end += (size_t)length;
  }
  text[end] = '\0';
  if (file >= 0) close(file);
  (void)unlink(path);
  return text;
}

static void check_text(const char *text)
{
  char call[64];
  snprintf(call, sizeof call, "\ncall called 4294967295 %u\n", (unsigned)os_thread_number());
  CHECK(strstr(text, "mend-track 1\nkind misuse\n") == text);
  CHECK(strstr(text, "\nmisuse double\\040free 0x4000\n") != NULL);
  CHECK(strstr(text, "\nstack 4294967295 0x1111 0x2222\n") != NULL);
  CHECK(strstr(text, call) != NULL);
  CHECK(strstr(text, "call allocated") == NULL && strstr(text, "call freed") == NULL);
  CHECK(strcmp(text + strlen(text) - 5, "\nend\n") == 0);
}

static const struct tracker_block unknown = {.block = NULL};

static void write_and_check(void)
{
  errno = 4711;
  misuse_file_write(&misuse, &unknown);
  CHECK(errno == 4711);
  check_text(take_text());
}

static void each_process_writes_one(void **state)
{
  (void)state;
  write_and_check();
  misuse_file_write(&misuse, &unknown);
  assert_string_equal(take_text(), "");
  assert_int_equal(child_run(write_and_check).exit_code, 0);
}

static void write_while_writing(void)
{
  CHECK(track_file_acquire(true));
  misuse_file_write(&misuse, &unknown);
  CHECK(*take_text() == '\0');
}

static void nothing_is_waited_for(void **state)
{
  (void)state;
  assert_int_equal(child_run(write_while_writing).exit_code, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_waited_for),
      cmocka_unit_test(each_process_writes_one),
  };
  start();
  int failed = SUITE_RUN(tests);
  (void)folder_remove();
  return failed;
}
