// SPDX-License-Identifier: MIT
#include "mend/mend.h"
#include "stats/figures.h"

static void json_string(struct stream *stream, const char *text)
{
  stream_text(stream, "\"");
  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte == '"' || byte == '\\') stream_text(stream, "\\");
    if (byte >= ' ' && byte < 0x7f) {
      stream_bytes(stream, text, 1);
    } else {
      // A byte of no known encoding, by its number.
      const char *digits = "0123456789abcdef";
      char escape[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15], '\0'};
      stream_text(stream, escape);
    }
  }
  stream_text(stream, "\"");
}

static void json_number(struct stream *stream, const char *before, const char *name,
                        const char *unit, uint64_t value)
{
  stream_text(stream, before);
  stream_text(stream, "\"");
  stream_text(stream, name);
  stream_text(stream, unit);
  stream_text(stream, "\": ");
  stream_number(stream, value, 0);
}

static const char *json_unit(const struct stats_figure *figure)
{
  switch (figure->kind) {
  case FIGURE_COUNT:
    return "";
  case FIGURE_COUNTER:
    return "_total";
  case FIGURE_BYTE_COUNTER:
    return "_bytes_total";
  default:
    return "_bytes";
  }
}

static void json_figures(struct stream *stream, const struct stats_report *report, unsigned from,
                         unsigned to)
{
  for (unsigned i = from; i < to; i++) {
    const struct stats_figure *figure = &stats_figure_table[i];
    json_number(stream, i == from ? "\n    " : ",\n    ", figure->name, json_unit(figure),
                stats_value(report, figure));
  }
}

// What each figure means, by its name: so that a file can be read without this version's text.
static void json_meanings(struct stream *stream)
{
  stream_text(stream, ",\n  \"meanings\": {");
  for (unsigned i = 0; i < STATS_FIGURES; i++) {
    const struct stats_figure *figure = &stats_figure_table[i];
    stream_text(stream, i == 0 ? "\n    \"" : ",\n    \"");
    stream_text(stream, figure->name);
    stream_text(stream, json_unit(figure));
    stream_text(stream, "\": ");
    json_string(stream, figure->meaning);
  }
  stream_text(stream, "\n  }");
}

struct json_rows {
  struct stream *stream;
  uint64_t kind;   // whose array is being written
  bool has_begun;  // it has a row
};

static const char *const json_arrays[] = {"", "classes", "heaps", "threads", "nodes"};
static const char *const json_keys[] = {"", "block_bytes", "number", "thread", "node"};

// Ends the array that is being written and begins the others, up to that of a kind.
static void json_advance(struct json_rows *rows, uint64_t kind)
{
  while (rows->kind < kind) {
    if (rows->kind > 0) stream_text(rows->stream, rows->has_begun ? "\n  ]" : "]");
    rows->kind++;
    rows->has_begun = false;
    if (rows->kind > MEND_STATS_NODE) return;
    stream_text(rows->stream, ",\n  \"");
    stream_text(rows->stream, json_arrays[rows->kind]);
    stream_text(rows->stream, "\": [");
  }
}

static bool json_row(const struct mend_stats_row *row, void *argument)
{
  struct json_rows *rows = argument;
  struct stream *stream = rows->stream;
  json_advance(rows, row->kind);
  stream_text(stream, rows->has_begun ? ",\n    {" : "\n    {");
  rows->has_begun = true;
  json_number(stream, "", json_keys[row->kind], "", row->number);
  stream_text(stream, ", \"name\": ");
  json_string(stream, row->name);
  if (row->kind == MEND_STATS_NODE) {
    json_number(stream, ", ", "resident_bytes", "", row->resident_bytes);
  } else {
    json_number(stream, ", ", "pages", "", row->page_count);
    json_number(stream, ", ", "live_blocks", "", row->live_count);
    json_number(stream, ", ", "live_bytes", "", row->live_bytes);
    json_number(stream, ", ", "free_blocks", "", row->free_count);
    json_number(stream, ", ", "free_bytes", "", row->free_bytes);
    json_number(stream, ", ", "cached_bytes", "", row->cached_bytes);
    json_number(stream, ", ", "uncarved_bytes", "", row->uncarved_bytes);
  }
  stream_text(stream, "}");
  return stream->error == 0;
}

INTERNAL void stats_write_json(struct stream *stream, const struct stats_report *report)
{
  struct json_rows rows = {stream, 0, false};
  stream_text(stream, "{\n  \"schema\": \"mend-stats-1\",\n  \"version\": \"" MEND_VERSION_STRING
                      "\",\n  \"build\": \"");
  stream_text(stream, stats_build());
  stream_text(stream, "\"");
  json_number(stream, ",\n  ", "pid", "", report->process);
  stream_text(stream, ",\n  \"lines\": {");
  json_figures(stream, report, 0, STATS_LINES);
  stream_text(stream, "\n  },\n  \"figures\": {");
  json_figures(stream, report, STATS_LINES, STATS_FIGURES);
  stream_text(stream, "\n  }");
  json_meanings(stream);
  (void)mend_stats_visit(json_row, &rows);
  json_advance(&rows, MEND_STATS_NODE + 1);
  stream_text(stream, "\n}\n");
}
