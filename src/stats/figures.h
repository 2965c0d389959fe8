// SPDX-License-Identifier: MIT
//
// The figures as text in several formats, from one table: what each is called, what it is of, and
// what it means. Figures are collected first, rows one by one; nothing is locked or entered while
// text is written.
#ifndef STATS_FIGURES_H
#define STATS_FIGURES_H

#include "base/stream.h"
#include "mend/handle.h"
#include "mend/stats.h"

struct stats_report {
  struct mend_stats stats;
  struct mend_resident resident;
  struct mend_fragmentation objects;
  size_t process;
};

enum stats_figure_kind {
  FIGURE_LINE,     // bytes; with the others of its kind the resident heap
  FIGURE_BYTES,    // of something as it is now
  FIGURE_COUNT,    // likewise
  FIGURE_COUNTER,  // only grows; a number
  FIGURE_BYTE_COUNTER,
};

struct stats_figure {
  enum stats_figure_kind kind;
  size_t offset;     // in struct stats_report: a size_t
  const char *name;  // of letters and underscores, without a unit
  const char *meaning;
};

// The lines first.
enum { STATS_LINES = 13, STATS_FIGURES = STATS_LINES + 14 };
INTERNAL_DATA const struct stats_figure stats_figure_table[STATS_FIGURES];

static inline size_t stats_value(const struct stats_report *report, const struct stats_figure *of)
{
  return *(const size_t *)(const void *)((const char *)report + of->offset);
}

// False if there is no memory for a heap.
INTERNAL bool stats_report_collect(struct stats_report *report);
// What this build and the options make of mend, in a word: "default", "hardened".
INTERNAL const char *stats_build(void);

INTERNAL void stats_write_text(struct stream *stream, const struct stats_report *report);
INTERNAL void stats_write_json(struct stream *stream, const struct stats_report *report);
// `is_open`: as OpenMetrics has it, not as Prometheus had it before.
INTERNAL void stats_write_metrics(struct stream *stream, const struct stats_report *report,
                                  bool is_open);
INTERNAL void stats_write_xml(struct stream *stream, const struct stats_report *report);

#endif
