// SPDX-License-Identifier: MIT
//
// malloc_info: elements as the C library has them where they mean the same, and mend's own.
#include <string.h>

#include "stats/figures.h"

static void xml_attribute(struct stream *stream, const char *name, uint64_t value)
{
  stream_text(stream, " ");
  stream_text(stream, name);
  stream_text(stream, "=\"");
  stream_number(stream, value, 0);
  stream_text(stream, "\"");
}

// What no XML may have is left out; what is neither ASCII nor printable is a question mark.
static void xml_name(struct stream *stream, const char *name)
{
  stream_text(stream, " name=\"");
  for (; *name != '\0'; name++) {
    bool is_plain = *name >= ' ' && *name < 0x7f && strchr("<>&\"", *name) == NULL;
    stream_bytes(stream, is_plain ? name : "?", 1);
  }
  stream_text(stream, "\"");
}

struct xml_rows {
  struct stream *stream;
  uint64_t kind;  // whose element is open
};

static const char *const xml_elements[] = {"", "sizes", "heaps", "threads", "nodes"};

static void xml_close(struct xml_rows *rows)
{
  stream_text(rows->stream, "  </");
  stream_text(rows->stream, xml_elements[rows->kind]);
  stream_text(rows->stream, ">\n");
}

static bool xml_row(const struct mend_stats_row *row, void *argument)
{
  static const char *const begins[] = {"", "    <class size", "    <heap nr", "    <thread nr",
                                       "    <node nr"};
  struct xml_rows *rows = argument;
  struct stream *stream = rows->stream;
  if (row->kind == MEND_STATS_CLASS && row->number == 0) return true;  // <total type="large">
  if (row->kind != rows->kind) {
    xml_close(rows);
    rows->kind = row->kind;
    stream_text(stream, "  <");
    stream_text(stream, xml_elements[row->kind]);
    stream_text(stream, ">\n");
  }
  stream_text(stream, begins[row->kind]);
  stream_text(stream, "=\"");
  stream_number(stream, row->number, 0);
  stream_text(stream, "\"");
  if (row->name[0] != '\0') xml_name(stream, row->name);
  if (row->kind == MEND_STATS_NODE) {
    xml_attribute(stream, "resident", row->resident_bytes);
  } else {
    xml_attribute(stream, "pages", row->page_count);
    xml_attribute(stream, "live", row->live_count);
    xml_attribute(stream, "free", row->free_count);
    xml_attribute(stream, "live_bytes", row->live_bytes);
    xml_attribute(stream, "free_bytes", row->free_bytes);
  }
  stream_text(stream, "/>\n");
  return stream->error == 0;
}

static void xml_total(struct stream *stream, const char *type, uint64_t size)
{
  stream_text(stream, "  <total type=\"");
  stream_text(stream, type);
  stream_text(stream, "\"");
  xml_attribute(stream, "size", size);
  stream_text(stream, "/>\n");
}

static void xml_totals(struct stream *stream, const struct mend_stats *stats)
{
  xml_total(stream, "live", stats->live_bytes);
  xml_total(stream, "free", stats->free_bytes);
  xml_total(stream, "uncarved", stats->uncarved_bytes);
  xml_total(stream, "rest", stats->rest_bytes);
  xml_total(stream, "retained", stats->retained_bytes);
  xml_total(stream, "unused", stats->unused_bytes);
  stream_text(stream, "  <total type=\"large\"");
  xml_attribute(stream, "count", stats->large_count);
  xml_attribute(stream, "size", stats->large_bytes);
  stream_text(stream, "/>\n");
}

INTERNAL void stats_write_xml(struct stream *stream, const struct stats_report *report)
{
  struct xml_rows rows = {stream, MEND_STATS_CLASS};  // which is there in any case
  stream_text(stream, "<malloc version=\"mend-1\">\n  <sizes>\n");
  (void)mend_stats_visit(xml_row, &rows);
  xml_close(&rows);
  xml_totals(stream, &report->stats);
  for (unsigned i = 0; i < STATS_LINES; i++) {
    stream_text(stream, "  <resident type=\"");
    stream_text(stream, stats_figure_table[i].name);
    stream_text(stream, "\"");
    xml_attribute(stream, "size", stats_value(report, &stats_figure_table[i]));
    stream_text(stream, "/>\n");
  }
  stream_text(stream, "  <system type=\"current\"");
  xml_attribute(stream, "size", report->stats.committed_bytes);
  stream_text(stream, "/>\n  <metadata");
  xml_attribute(stream, "size", report->stats.metadata_bytes);
  stream_text(stream, "/>\n</malloc>\n");
}
