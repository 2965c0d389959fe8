// SPDX-License-Identifier: MIT
//
// For people: the lines of resident memory with the sum under them, other figures, and a table of
// each kind of rows.
#include <string.h>

#include "mend/mend.h"
#include "stats/figures.h"

enum { VALUE_WIDTH = 16, NAME_WIDTH = 26 };

static void text_pad(struct stream *stream, const char *text, size_t width)
{
  size_t length = strlen(text);
  stream_text(stream, text);
  for (; length < width; length++) stream_text(stream, " ");
}

static void text_line(struct stream *stream, const char *sign, uint64_t value, const char *name,
                      const char *meaning)
{
  stream_text(stream, sign);
  stream_number(stream, value, VALUE_WIDTH);
  stream_text(stream, "  ");
  text_pad(stream, name, NAME_WIDTH);
  stream_text(stream, meaning);
  stream_text(stream, "\n");
}

static void text_figures(struct stream *stream, const struct stats_report *report)
{
  for (unsigned i = 0; i < STATS_FIGURES; i++) {
    const struct stats_figure *figure = &stats_figure_table[i];
    bool is_bytes = figure->kind != FIGURE_COUNT && figure->kind != FIGURE_COUNTER;
    const char *sign = i == 0 ? "  " : i < STATS_LINES ? "+ " : i == STATS_LINES ? "= " : "  ";
    if (i == STATS_LINES + 1) stream_text(stream, "\n");
    char name[40] = {0};
    struct format format = format_begin(name, sizeof name - 1);
    format_text(&format, figure->name);
    if (is_bytes && i > STATS_LINES) format_text(&format, " bytes");
    text_line(stream, sign, stats_value(report, figure), name, figure->meaning);
  }
}

struct text_rows {
  struct stream *stream;
  uint64_t kind;  // of the last one
};

static const char *const text_heads[] = {
    "", "\nclass              pages     live count     live bytes     free bytes\n",
    "\nheap               pages     live count     live bytes     free bytes   cached bytes\n",
    "\nthread             pages     live count     live bytes     free bytes   cached bytes\n",
    "\nnode      resident bytes\n"};

// What a row is called: of a thread its number and name.
static void text_name(struct stream *stream, const struct mend_stats_row *row)
{
  char name[64] = {0};
  struct format format = format_begin(name, sizeof name - 1);
  if (row->kind == MEND_STATS_HEAP && strcmp(row->name, "heap") == 0) {
    format_hex(&format, row->number);
  } else if (row->kind == MEND_STATS_HEAP || (row->kind == MEND_STATS_CLASS && row->number == 0)) {
    format_text(&format, row->name);
  } else {
    format_number(&format, row->number, 0);
  }
  text_pad(stream, name, 14);
}

static bool text_row(const struct mend_stats_row *row, void *argument)
{
  struct text_rows *rows = argument;
  if (row->kind != rows->kind) stream_text(rows->stream, text_heads[row->kind]);
  rows->kind = row->kind;
  text_name(rows->stream, row);
  if (row->kind == MEND_STATS_NODE) {
    stream_number(rows->stream, row->resident_bytes, 10);
  } else {
    stream_number(rows->stream, row->page_count, 10);
    stream_number(rows->stream, row->live_count, 15);
    stream_number(rows->stream, row->live_bytes, 15);
    stream_number(rows->stream, row->free_bytes, 15);
    if (row->kind != MEND_STATS_CLASS) stream_number(rows->stream, row->cached_bytes, 15);
  }
  if (row->kind == MEND_STATS_THREAD) {
    stream_text(rows->stream, "  ");
    stream_text(rows->stream, row->name);
  }
  stream_text(rows->stream, "\n");
  return rows->stream->error == 0;
}

INTERNAL void stats_write_text(struct stream *stream, const struct stats_report *report)
{
  struct text_rows rows = {stream, 0};
  stream_text(stream, "mend " MEND_VERSION_STRING " (");
  stream_text(stream, stats_build());
  stream_text(stream, "), process ");
  stream_number(stream, report->process, 0);
  stream_text(stream, "\n\n");
  text_figures(stream, report);
  (void)mend_stats_visit(text_row, &rows);
}
