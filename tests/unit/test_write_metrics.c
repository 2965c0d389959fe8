// SPDX-License-Identifier: MIT
//
// Statistics for Prometheus and its kin, to the letter; tests/stats/run has them read by others.
#define _GNU_SOURCE 1
#include "report.h"

static void write_it(bool is_open)
{
  struct stats_report report = report_make();
  struct stream stream = report_begin();
  stats_write_metrics(&stream, &report, is_open);
  assert_true(stream_end(&stream));
}

static void open_metrics_have_units_and_an_end(void **state)
{
  (void)state;
  write_it(true);
  assert_true(
      is_written("# HELP mend_line_bytes Resident memory of the heap, by what it is\n"
                 "# TYPE mend_line_bytes gauge\n# UNIT mend_line_bytes bytes\n"
                 "mend_line_bytes{line=\"live\"} 1\nmend_line_bytes{line=\"rounding\"} 2\n"));
  assert_true(is_written("# TYPE mend_purged_bytes counter\n# UNIT mend_purged_bytes bytes\n"
                         "mend_purged_bytes_total "));
  assert_true(is_written("# TYPE mend_os_calls counter\nmend_os_calls_total "));
  assert_true(is_written("# TYPE mend_pages gauge\nmend_pages "));
  assert_string_equal(written.text + written.bytes - 7, "\n# EOF\n");
}

static void the_older_text_names_counters_by_their_samples(void **state)
{
  (void)state;
  write_it(false);
  assert_true(is_written("# TYPE mend_purged_bytes_total counter\nmend_purged_bytes_total "));
  assert_true(is_written("# TYPE mend_os_calls_total counter\nmend_os_calls_total "));
  assert_false(is_written("# UNIT"));
  assert_false(is_written("# EOF"));
}

static void rows_stand_with_their_family(void **state)
{
  (void)state;
  for (int is_open = 0; is_open < 2; is_open++) {
    write_it(is_open != 0);
    assert_true(is_written("\nmend_class_live_bytes{size=\"16\"} 48\n"
                           "mend_class_live_bytes{size=\"large\"} 1000000\n# "));
    assert_true(is_written("\nmend_heap_free_bytes{heap=\"0x1000\",name=\"heap\"} 32\n# "));
    assert_true(
        is_written("\nmend_thread_live_bytes{thread=\"77\",name=\"a\\\"b\\\\c<&???\"} 32\n"));
    assert_true(is_written("\nmend_node_resident_bytes{node=\"0\"} 123\n"
                           "mend_node_resident_bytes{node=\"1\"} 456\n"));
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(open_metrics_have_units_and_an_end),
      cmocka_unit_test(the_older_text_names_counters_by_their_samples),
      cmocka_unit_test(rows_stand_with_their_family),
  };
  return SUITE_RUN(tests);
}
