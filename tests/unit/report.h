// SPDX-License-Identifier: MIT
//
// A report of known figures, and rows of known and odd names in place of the heap's own, for the
// tests of how statistics are written.
#ifndef TESTS_UNIT_REPORT_H
#define TESTS_UNIT_REPORT_H

#include <stdlib.h>
#include <string.h>

#include "../support/suite.h"
#include "stats/figures.h"
#include "stats/stats.h"

static const struct mend_stats_row report_rows[] = {
    {.kind = MEND_STATS_CLASS,
     .number = 16,
     .name = "",
     .page_count = 2,
     .live_count = 3,
     .live_bytes = 48,
     .free_count = 5,
     .free_bytes = 80},
    {.kind = MEND_STATS_CLASS,
     .number = 0,
     .name = "large",
     .live_count = 1,
     .live_bytes = 1000000},
    {.kind = MEND_STATS_HEAP,
     .number = 4096,
     .name = "heap",
     .page_count = 1,
     .live_count = 1,
     .live_bytes = 16,
     .free_bytes = 32,
     .cached_bytes = 16,
     .uncarved_bytes = 7},
    {.kind = MEND_STATS_THREAD,
     .number = 77,
     .name = "a\"b\\c<&\n\x80\x7f",
     .page_count = 1,
     .live_count = 2,
     .live_bytes = 32,
     .free_bytes = 48},
    {.kind = MEND_STATS_NODE, .number = 0, .name = "", .resident_bytes = 123},
    {.kind = MEND_STATS_NODE, .number = 1, .name = "", .resident_bytes = 456},
};
static size_t report_row_count = sizeof report_rows / sizeof report_rows[0];

bool mend_stats_visit(mend_stats_function function, void *argument)
{
  for (size_t i = 0; i < report_row_count; i++) {
    if (!function(&report_rows[i], argument)) return false;
  }
  return true;
}

INTERNAL bool stats_visit_kind(uint64_t kind, mend_stats_function function, void *argument)
{
  for (size_t i = 0; i < report_row_count; i++) {
    if (report_rows[i].kind == kind && !function(&report_rows[i], argument)) return false;
  }
  return true;
}

// The i-th figure is i + 1.
static struct stats_report report_make(void)
{
  struct stats_report report = {.process = 4711};
  for (size_t i = 0; i < STATS_FIGURES; i++) {
    *(size_t *)(void *)((char *)&report + stats_figure_table[i].offset) = i + 1;
  }
  report.stats.live_bytes = 2000;
  return report;
}

static struct {
  size_t bytes;
  char text[1 << 16];  // terminated
} written;

static bool report_take(void *unused, const char *text, size_t bytes)
{
  (void)unused;
  CHECK(written.bytes + bytes < sizeof written.text);
  memcpy(written.text + written.bytes, text, bytes);
  written.bytes += bytes;
  written.text[written.bytes] = '\0';
  return true;
}

static struct stream report_begin(void)
{
  struct stream stream;
  written.bytes = 0;
  stream_begin_function(&stream, report_take, NULL);
  return stream;
}

static bool is_written(const char *text)
{
  return strstr(written.text, text) != NULL;
}

#endif
