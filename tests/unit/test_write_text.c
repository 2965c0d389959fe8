// SPDX-License-Identifier: MIT
//
// Statistics for people: a sum, explained line by line, and a table of each kind of rows.
#define _GNU_SOURCE 1
#include "report.h"

#include <stdio.h>

static void write_it(void)
{
  struct stats_report report = report_make();
  struct stream stream = report_begin();
  stats_write_text(&stream, &report);
  assert_true(stream_end(&stream));
}

static void each_figure_has_a_line(void **state)
{
  (void)state;
  write_it();
  assert_int_equal(strncmp(written.text, "mend " MEND_VERSION_STRING " (", 6), 0);
  assert_true(is_written(", process 4711\n"));
  for (size_t i = 0; i < STATS_FIGURES; i++) {
    char line[200];
    const struct stats_figure *figure = &stats_figure_table[i];
    snprintf(line, sizeof line, "%c %16zu  %s",
             i == 0             ? ' '
             : i < STATS_LINES  ? '+'
             : i == STATS_LINES ? '='
                                : ' ',
             i + 1, figure->name);
    const char *at = strstr(written.text, line);
    assert_non_null(at);
    const char *meaning = strstr(at, figure->meaning);
    assert_true(meaning != NULL && meaning < strchr(at, '\n'));
  }
}

static void each_row_has_a_line(void **state)
{
  (void)state;
  write_it();
  assert_true(
      is_written("\n16                     2              3             48             80\n"));
  assert_true(
      is_written("\nlarge                  0              1        1000000              0\n"));
  assert_true(is_written("\n0x1000                 1              1             16             32"
                         "             16\n"));
  assert_true(is_written("\n77                     1              2             32             48"
                         "              0  a"));
  assert_true(is_written("\n0                    123\n1                    456\n"));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_figure_has_a_line),
      cmocka_unit_test(each_row_has_a_line),
  };
  return SUITE_RUN(tests);
}
