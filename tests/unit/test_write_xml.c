// SPDX-License-Identifier: MIT
//
// Statistics as malloc_info has them, to the letter; tests/api/test_info.c parses them.
#define _GNU_SOURCE 1
#include "report.h"

static void write_it(void)
{
  struct stats_report report = report_make();
  struct stream stream = report_begin();
  stats_write_xml(&stream, &report);
  assert_true(stream_end(&stream));
}

static void rows_are_elements(void **state)
{
  (void)state;
  write_it();
  assert_true(
      is_written("<malloc version=\"mend-1\">\n  <sizes>\n    <class size=\"16\" pages=\"2\" "
                 "live=\"3\" free=\"5\" live_bytes=\"48\" free_bytes=\"80\"/>\n  </sizes>\n"
                 "  <heaps>\n    <heap nr=\"4096\" name=\"heap\" pages=\"1\""));
  assert_true(is_written("<thread nr=\"77\" name=\"a?b\\c?????\" "));
  assert_true(is_written("<node nr=\"1\" resident=\"456\"/>\n  </nodes>\n"));
}

static void totals_and_lines_follow(void **state)
{
  (void)state;
  write_it();
  assert_true(is_written("  <total type=\"live\" size=\"2000\"/>\n"));
  assert_true(is_written("  <resident type=\"live\" size=\"1\"/>\n"));
  assert_true(is_written("<system type=\"current\" size=\""));
  assert_string_equal(written.text + written.bytes - 10, "</malloc>\n");
}

static void the_sizes_are_there_without_rows(void **state)
{
  (void)state;
  size_t all = report_row_count;
  report_row_count = 0;
  write_it();
  assert_true(is_written("\n  <sizes>\n  </sizes>\n  <total"));
  report_row_count = all;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_elements),
      cmocka_unit_test(totals_and_lines_follow),
      cmocka_unit_test(the_sizes_are_there_without_rows),
  };
  return SUITE_RUN(tests);
}
