// SPDX-License-Identifier: MIT
//
// The statistics that a process leaves behind: under which name, and in which form.
#define _GNU_SOURCE 1
#include "capture.h"
#include "child.h"
#include "../support/folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/options.h"
#include "mend/mend.h"
#include "stats/exit_file.h"

static char folder[] = "/tmp/mend-test-exit-XXXXXX";

static void set(const char *entry)
{
  CHECK(options_set("", entry, strlen(entry), '='));
}

// Sets where to, in the folder, and how; "" is unset.
static void choose(const char *name, const char *format)
{
  char entry[200];
  snprintf(entry, sizeof entry, "stats_file=%s/%s", folder, name);
  set(entry);
  snprintf(entry, sizeof entry, "stats_format=%s", format);
  if (*format != '\0') set(entry);
}

// Whether the folder has such a file, which begins so; it is removed.
static bool begins(const char *name, const char *text)
{
  char path[200], start[16] = "";
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int file = open(path, O_RDONLY);
  if (file < 0) return false;
  ssize_t length = read(file, start, sizeof start - 1);
  close(file);
  unlink(path);
  return length > 0 && strncmp(start, text, strlen(text)) == 0;
}

static void in_each_form(void)
{
  static const char *const forms[][2] = {
      {"", "{\n"},        {"text", "mend "}, {"openmetrics", "# HELP"}, {"prometheus", "# HELP"},
      {"xml", "<malloc"}, {"json", "{\n"},   {"nonsense", "{\n"},
  };
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    choose("file", forms[i][0]);
    exit_file_start();
    exit_file_write();
    CHECK(begins("file", forms[i][1]));
  }
}

static void by_the_processs_number(void)
{
  char name[40];
  exit_file_start();
  choose("a.%p.b", "json");
  exit_file_write();
  snprintf(name, sizeof name, "a.%ld.b", (long)getpid());
  CHECK(begins(name, "{\n"));
}

// A child that has its parent's option, and would have its parent's name.
static void of_a_child(void)
{
  char name[40];
  int status = 0;
  choose("one", "json");
  exit_file_start();
  pid_t child = test_fork();
  if (child == 0) {
    exit_file_write();
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  exit_file_write();
  snprintf(name, sizeof name, "one.%ld", (long)child);
  CHECK(begins(name, "{\n") && begins("one", "{\n"));
}

static void where_it_cannot_be_written(void)
{
  choose("no/such/folder", "json");
  exit_file_start();
  capture_begin();
  exit_file_write();
  capture_end();
  static const char beginning[] =
      "mend: the statistics cannot be written: error 2: /tmp/mend-test-exit-";
  CHECK(strncmp(captured.text, beginning, strlen(beginning)) == 0);
  CHECK(strstr(captured.text, "/no/such/folder\n") != NULL && captured.calls == 1);
}

static void a_file_is_left_in_each_form(void **state)
{
  (void)state;
  child_check(in_each_form);
}

static void the_name_has_the_number(void **state)
{
  (void)state;
  child_check(by_the_processs_number);
}

static void a_child_leaves_another_file(void **state)
{
  (void)state;
  child_check(of_a_child);
}

static void what_cannot_be_written_is_told(void **state)
{
  (void)state;
  child_check(where_it_cannot_be_written);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_left_in_each_form),
      cmocka_unit_test(the_name_has_the_number),
      cmocka_unit_test(a_child_leaves_another_file),
      cmocka_unit_test(what_cannot_be_written_is_told),
  };
  if (!folder_make(folder)) return test_cannot_run("no folder can be made in /tmp");
  int result = SUITE_RUN(tests);
  (void)folder_remove();
  return result;
}
