// SPDX-License-Identifier: MIT
//
// The table of figures, and how they are handed out.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mend/mend.h"
#include "stats/figures.h"

static bool is_bytes(const struct stats_figure *figure)
{
  return figure->kind != FIGURE_COUNT && figure->kind != FIGURE_COUNTER;
}

static void names_are_unique_and_plain(void **state)
{
  (void)state;
  for (size_t i = 0; i < STATS_FIGURES; i++) {
    const struct stats_figure *figure = &stats_figure_table[i];
    assert_int_equal(strspn(figure->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(figure->name));
    assert_int_equal(figure->kind == FIGURE_LINE, i < STATS_LINES);
    assert_true(figure->offset <= sizeof(struct stats_report) - sizeof(size_t));
    assert_true(strlen(figure->meaning) > 5 && strlen(figure->meaning) <= 40);
    for (size_t j = 0; j < i; j++) {
      const struct stats_figure *other = &stats_figure_table[j];
      assert_true(strcmp(figure->name, other->name) != 0 || is_bytes(figure) != is_bytes(other));
      assert_int_not_equal(figure->offset, other->offset);
    }
  }
}

static void lines_add_up(void **state)
{
  (void)state;
  struct stats_report report;
  void *block = mend_malloc(100000);
  assert_true(stats_report_collect(&report));
  size_t sum = 0;
  for (size_t i = 0; i < STATS_LINES; i++) sum += stats_value(&report, &stats_figure_table[i]);
  assert_int_equal(sum, report.resident.total_bytes);
  assert_int_equal(sum, stats_value(&report, &stats_figure_table[STATS_LINES]));
  assert_int_equal(report.process, getpid());
  mend_free(block);
}

static void each_format_is_written(void **state)
{
  (void)state;
  static const char *const begins[] = {"mend ", "{\n", "# HELP", "# HELP", "<malloc"};
  for (int format = MEND_STATS_TEXT; format <= MEND_STATS_XML; format++) {
    char text[8] = "";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 18) >= 1 << 16);
    errno = 4711;
    assert_true(mend_stats_write(ends[1], (enum mend_stats_format)format));
    assert_int_equal(errno, 4711);
    assert_int_equal(read(ends[0], text, 7), 7);
    assert_int_equal(strncmp(text, begins[format], strlen(begins[format])), 0);
    close(ends[0]);
    close(ends[1]);
  }
}

static void what_cannot_be_written_is_told(void **state)
{
  (void)state;
  assert_false(mend_stats_write(1, (enum mend_stats_format)5));
  assert_int_equal(errno, EINVAL);
  assert_false(mend_stats_write(-1, MEND_STATS_JSON));
  assert_int_equal(errno, EBADF);
  int full = open("/dev/full", O_WRONLY);
  if (full < 0) skip();
  assert_false(mend_stats_write(full, MEND_STATS_OPENMETRICS));
  assert_int_equal(errno, ENOSPC);
  close(full);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_unique_and_plain),
      cmocka_unit_test(lines_add_up),
      cmocka_unit_test(each_format_is_written),
      cmocka_unit_test(what_cannot_be_written_is_told),
  };
  return SUITE_RUN(tests);
}
