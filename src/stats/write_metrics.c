// SPDX-License-Identifier: MIT
//
// The text that Prometheus and its kin read. Two dialects: in OpenMetrics a counter's family lacks
// the suffix that its samples have, units are told, and the end is marked. A family's samples must
// stand together, so the rows are walked once for each.
#include "mend/mend.h"
#include "stats/figures.h"
#include "stats/stats.h"

struct metrics {
  struct stream *stream;
  bool is_open;
};

static bool metrics_is_counter(enum stats_figure_kind kind)
{
  return kind == FIGURE_COUNTER || kind == FIGURE_BYTE_COUNTER;
}

static bool metrics_is_bytes(enum stats_figure_kind kind)
{
  return kind != FIGURE_COUNT && kind != FIGURE_COUNTER;
}

static void metrics_name(const struct metrics *metrics, enum stats_figure_kind kind,
                         const char *name, bool is_sample)
{
  stream_text(metrics->stream, "mend_");
  stream_text(metrics->stream, name);
  if (metrics_is_bytes(kind)) stream_text(metrics->stream, "_bytes");
  if (metrics_is_counter(kind) && (is_sample || !metrics->is_open)) {
    stream_text(metrics->stream, "_total");
  }
}

static void metrics_head(const struct metrics *metrics, enum stats_figure_kind kind,
                         const char *name, const char *meaning)
{
  stream_text(metrics->stream, "# HELP ");
  metrics_name(metrics, kind, name, false);
  stream_text(metrics->stream, " ");
  stream_text(metrics->stream, meaning);
  stream_text(metrics->stream, "\n# TYPE ");
  metrics_name(metrics, kind, name, false);
  stream_text(metrics->stream, metrics_is_counter(kind) ? " counter\n" : " gauge\n");
  if (!metrics->is_open || !metrics_is_bytes(kind)) return;
  stream_text(metrics->stream, "# UNIT ");
  metrics_name(metrics, kind, name, false);
  stream_text(metrics->stream, " bytes\n");
}

static void metrics_value(const struct metrics *metrics, uint64_t value)
{
  stream_text(metrics->stream, " ");
  stream_number(metrics->stream, value, 0);
  stream_text(metrics->stream, "\n");
}

// A label's value; what is neither ASCII nor printable becomes a question mark, since names of
// threads have no known encoding.
static void metrics_escape(struct stream *stream, const char *text)
{
  for (; *text != '\0'; text++) {
    bool is_plain = *text >= ' ' && *text < 0x7f;
    if (*text == '"' || *text == '\\') stream_text(stream, "\\");
    stream_bytes(stream, is_plain ? text : "?", 1);
  }
}

static void metrics_lines(const struct metrics *metrics, const struct stats_report *report)
{
  metrics_head(metrics, FIGURE_LINE, "line", "Resident memory of the heap, by what it is");
  for (unsigned i = 0; i < STATS_LINES; i++) {
    stream_text(metrics->stream, "mend_line_bytes{line=\"");
    stream_text(metrics->stream, stats_figure_table[i].name);
    stream_text(metrics->stream, "\"}");
    metrics_value(metrics, stats_value(report, &stats_figure_table[i]));
  }
}

static void metrics_figures(const struct metrics *metrics, const struct stats_report *report)
{
  for (unsigned i = STATS_LINES; i < STATS_FIGURES; i++) {
    const struct stats_figure *figure = &stats_figure_table[i];
    metrics_head(metrics, figure->kind, figure->name, figure->meaning);
    metrics_name(metrics, figure->kind, figure->name, true);
    metrics_value(metrics, stats_value(report, figure));
  }
}

// ---------------------------------------------------------------------------------------------
// Rows: a family for each figure of each kind of row.

struct metrics_family {
  uint64_t row;
  enum stats_figure_kind kind;
  size_t offset;  // in struct mend_stats_row
  const char *name;
  const char *meaning;
};

#define METRIC_OF(member) offsetof(struct mend_stats_row, member)

static const struct metrics_family metrics_families[] = {
    {MEND_STATS_CLASS, FIGURE_COUNT, METRIC_OF(page_count), "class_pages", "Pages of a class"},
    {MEND_STATS_CLASS, FIGURE_COUNT, METRIC_OF(live_count), "class_live_blocks", "Its live blocks"},
    {MEND_STATS_CLASS, FIGURE_LINE, METRIC_OF(live_bytes), "class_live", "Its live blocks"},
    {MEND_STATS_CLASS, FIGURE_LINE, METRIC_OF(free_bytes), "class_free", "Its free blocks"},
    {MEND_STATS_HEAP, FIGURE_LINE, METRIC_OF(live_bytes), "heap_live", "Live blocks of a heap"},
    {MEND_STATS_HEAP, FIGURE_LINE, METRIC_OF(free_bytes), "heap_free", "Its free blocks"},
    {MEND_STATS_THREAD, FIGURE_LINE, METRIC_OF(live_bytes), "thread_live",
     "Live blocks of a thread"},
    {MEND_STATS_THREAD, FIGURE_LINE, METRIC_OF(free_bytes), "thread_free", "Its free blocks"},
    {MEND_STATS_NODE, FIGURE_LINE, METRIC_OF(resident_bytes), "node_resident",
     "Memory of a NUMA node"},
};

struct metrics_rows {
  const struct metrics *metrics;
  const struct metrics_family *family;
};

static const char *const metrics_labels[] = {"", "size", "heap", "thread", "node"};

static void metrics_label(struct stream *stream, const struct mend_stats_row *row)
{
  stream_text(stream, "{");
  stream_text(stream, metrics_labels[row->kind]);
  stream_text(stream, "=\"");
  bool is_large = row->kind == MEND_STATS_CLASS && row->number == 0;
  if (is_large) {
    stream_text(stream, row->name);
  } else if (row->kind == MEND_STATS_HEAP) {
    stream_hex(stream, row->number);
  } else {
    stream_number(stream, row->number, 0);
  }
  if (!is_large && row->name[0] != '\0') {
    stream_text(stream, "\",name=\"");
    metrics_escape(stream, row->name);
  }
  stream_text(stream, "\"}");
}

static bool metrics_row(const struct mend_stats_row *row, void *argument)
{
  const struct metrics_rows *rows = argument;
  const struct metrics_family *family = rows->family;
  metrics_name(rows->metrics, family->kind, family->name, true);
  metrics_label(rows->metrics->stream, row);
  const char *value = (const char *)row + family->offset;
  metrics_value(rows->metrics, *(const size_t *)(const void *)value);
  return rows->metrics->stream->error == 0;
}

INTERNAL void stats_write_metrics(struct stream *stream, const struct stats_report *report,
                                  bool is_open)
{
  const struct metrics metrics = {stream, is_open};
  metrics_head(&metrics, FIGURE_COUNT, "build_info", "The version of mend");
  stream_text(stream, "mend_build_info{version=\"" MEND_VERSION_STRING "\",build=\"");
  stream_text(stream, stats_build());
  stream_text(stream, "\"} 1\n");
  metrics_lines(&metrics, report);
  metrics_figures(&metrics, report);
  for (size_t i = 0; i < sizeof metrics_families / sizeof metrics_families[0]; i++) {
    const struct metrics_family *family = &metrics_families[i];
    struct metrics_rows rows = {&metrics, family};
    metrics_head(&metrics, family->kind, family->name, family->meaning);
    (void)stats_visit_kind(family->row, metrics_row, &rows);
  }
  if (is_open) stream_text(stream, "# EOF\n");
}
