// SPDX-License-Identifier: MIT
//
// Statistics as JSON, to the letter; tests/stats/run has them read by others.
#define _GNU_SOURCE 1
#include "report.h"

static void write_it(void)
{
  struct stats_report report = report_make();
  struct stream stream = report_begin();
  stats_write_json(&stream, &report);
  assert_true(stream_end(&stream));
}

static void figures_have_units_and_meanings(void **state)
{
  (void)state;
  write_it();
  assert_int_equal(strncmp(written.text, "{\n  \"schema\": \"mend-stats-1\",\n", 30), 0);
  assert_true(is_written(",\n  \"pid\": 4711,\n  \"lines\": {\n    \"live_bytes\": 1,\n"));
  assert_true(is_written("\n    \"metadata_bytes\": 13\n  },\n  \"figures\": {\n"
                         "    \"resident_bytes\": 14,\n"));
  assert_true(is_written("\"pages\": "));
  assert_true(is_written("\"purged_bytes_total\": "));
  assert_true(is_written("\"os_calls_total\": "));
  assert_true(is_written("\n    \"live_bytes\": \"blocks that the program holds\",\n"));
}

static void rows_are_arrays(void **state)
{
  (void)state;
  write_it();
  assert_true(is_written("\"classes\": [\n    {\"block_bytes\": 16, \"name\": \"\", \"pages\": 2, "
                         "\"live_blocks\": 3, \"live_bytes\": 48, \"free_blocks\": 5, "
                         "\"free_bytes\": 80, \"cached_bytes\": 0, \"uncarved_bytes\": 0},\n"));
  assert_true(is_written("\"heaps\": [\n    {\"number\": 4096, \"name\": \"heap\", "));
  assert_true(is_written("\"cached_bytes\": 16, \"uncarved_bytes\": 7}\n  ],\n"));
  assert_true(is_written("{\"thread\": 77, \"name\": \"a\\\"b\\\\c<&\\u000a\\u0080\\u007f\", "));
  assert_true(is_written("\"nodes\": [\n    {\"node\": 0, \"name\": \"\", \"resident_bytes\": 123},"
                         "\n    {\"node\": 1, \"name\": \"\", \"resident_bytes\": 456}\n  ]\n}\n"));
}

static void arrays_may_be_empty(void **state)
{
  (void)state;
  size_t all = report_row_count;
  report_row_count = 0;
  write_it();
  assert_true(is_written(",\n  \"classes\": [],\n  \"heaps\": [],\n  \"threads\": [],\n"
                         "  \"nodes\": []\n}\n"));
  report_row_count = all;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(figures_have_units_and_meanings),
      cmocka_unit_test(rows_are_arrays),
      cmocka_unit_test(arrays_may_be_empty),
  };
  return SUITE_RUN(tests);
}
