// SPDX-License-Identifier: MIT
//
// The report of a check: sums by kind, lines by kind and stack with their stacks before them, and
// not too many single blocks.
#define _GNU_SOURCE 1
#include "leaks.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "mend/track.h"
#include "track/leak_report.h"

enum { LOST_BLOCKS = 1500 };

static void *blocks[LOST_BLOCKS];
static char text[256 << 10];

__attribute__((noinline)) static void allocate_here(size_t from, size_t to)
{
  for (size_t i = from; i < to; i++) blocks[i] = mend_zalloc(40 + i % 8);
}

static struct leak_result report_to(int descriptor, bool *is_made)
{
  struct leak_result result = {.unparked = 0};
  leaks_begin_reach();
  reach_add_word(&leaks.reach, (uintptr_t)blocks[0]);
  CHECK(lost_find(&leaks.lost, &leaks.reach, &leaks.scratch, NULL));
  struct leak_report report = {&leaks.lost, &leaks.reach, &leaks.scratch, descriptor};
  *is_made = leak_report_make(&report, &result);
  leaks_end();
  return result;
}

static size_t count_lines(const char *start)
{
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, start)) != NULL; at++) count++;
  return count;
}

static void read_report(FILE *file)
{
  rewind(file);
  size_t length = fread(text, 1, sizeof text - 1, file);
  text[length] = '\0';
}

static void sums_and_lines_tell_the_same(void **state)
{
  (void)state;
  bool is_made;
  FILE *file = tmpfile();
  assert_non_null(file);
  allocate_here(0, LOST_BLOCKS);
  struct leak_result result = report_to(fileno(file), &is_made);
  assert_true(is_made);
  assert_int_equal(result.lost[LOST_DIRECT].count, LOST_BLOCKS - 1);
  assert_int_equal(result.reached.count, 1);
  read_report(file);
  char line[100];
  snprintf(line, sizeof line, "\nleak direct 0 0 %d %zu 0 0\n", LOST_BLOCKS - 1,
           result.lost[LOST_DIRECT].bytes);
  assert_non_null(strstr(text, line));
  assert_int_equal(count_lines("\nblock direct 0 0x"), 1000);
  assert_int_equal(count_lines("\nreached 0 1 "), 1);
  assert_int_equal(count_lines("\nend\n"), 1);
  fclose(file);
  for (size_t i = 0; i < LOST_BLOCKS; i++) mend_free(blocks[i]);
}

// Checks one line of leaks, before which its stack must be told.
static void check_line(const char *line, size_t *count, size_t *bytes)
{
  unsigned stack, thread, line_count, line_bytes;
  assert_int_equal(
      sscanf(line, "\nleak direct %u %u %u %u", &stack, &thread, &line_count, &line_bytes), 4);
  assert_true(stack != 0 && thread != 0);
  char start[40];
  snprintf(start, sizeof start, "\nstack %u 0x", stack);
  const char *stack_line = strstr(text, start);
  assert_true(stack_line != NULL && stack_line < line);
  *count += line_count;
  *bytes += line_bytes;
}

static void blocks_of_a_stack_are_told_together(void **state)
{
  (void)state;
  bool is_made;
  if (!mend_profile_start(MEND_PROFILE_EXACT)) return;  // not in every build
  FILE *file = tmpfile();
  assert_non_null(file);
  allocate_here(0, 30);
  struct leak_result result = report_to(fileno(file), &is_made);
  assert_true(is_made);
  size_t bytes = 0;
  for (size_t i = 1; i < 30; i++) bytes += 40 + i % 8;
  assert_int_equal(result.lost[LOST_DIRECT].count, 29);
  assert_int_equal(result.lost[LOST_DIRECT].bytes, bytes);
  read_report(file);
  // Of the library that is linked one by one, stacks have its own functions: on a slow path others.
  size_t lines = 0, told_count = 0, told_bytes = 0;
  for (const char *at = text; (at = strstr(at, "\nleak direct ")) != NULL; at++, lines++) {
    check_line(at, &told_count, &told_bytes);
  }
  assert_true(lines == 1 || lines == 2);
  assert_int_equal(told_count, 29);
  assert_int_equal(told_bytes, bytes);
  fclose(file);
  for (size_t i = 0; i < 30; i++) mend_free(blocks[i]);
  mend_profile_stop();
}

static void what_cannot_be_written_is_told(void **state)
{
  (void)state;
  bool is_made;
  allocate_here(0, 3);
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  (void)report_to(ends[0], &is_made);
  assert_false(is_made);
  assert_int_equal(errno, EBADF);
  (void)report_to(-1, &is_made);
  assert_true(is_made);
  close(ends[0]);
  close(ends[1]);
  for (size_t i = 0; i < 3; i++) mend_free(blocks[i]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_and_lines_tell_the_same),
      cmocka_unit_test(blocks_of_a_stack_are_told_together),
      cmocka_unit_test(what_cannot_be_written_is_told),
  };
  return SUITE_RUN(tests);
}
