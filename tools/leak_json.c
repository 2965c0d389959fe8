// SPDX-License-Identifier: MIT
//
// A leak report for programs. docs/leaks.md lists what is in it.
#include <inttypes.h>
#include <string.h>

#include "json_head.h"
#include "json_text.h"
#include "leak_report.h"

static void write_frame(const struct symbol *symbol, const struct symbol_frame *frame, FILE *stream)
{
  fprintf(stream, "{\"address\":\"0x%" PRIx64 "\"", symbol->address);
  json_write_member(stream, "function", frame->function);
  json_write_member(stream, "file", frame->file);
  if (frame->file != NULL) {
    fprintf(stream, ",\"line\":%" PRIu32, frame->line);
  } else {
    fputs(",\"line\":null", stream);
  }
  json_write_member(stream, "module", symbol->module != NULL ? symbol->module->path : NULL);
  fprintf(stream, ",\"offset\":\"0x%" PRIx64 "\",\"inlined\":%s}", symbol->offset,
          frame->is_inlined ? "true" : "false");
}

static void write_stack(const struct leak_report *report, size_t stack, FILE *stream)
{
  const uint64_t *frames = track_frames(report->file, stack);
  size_t count = report->file->stacks[stack].frame_count;
  const char *between = "";
  fputs(",\"stack\":[", stream);
  for (size_t i = symbols_own_frames(report->symbols, report->file, stack); i < count; i++) {
    const struct symbol *symbol = symbols_find(report->symbols, frames[i]);
    for (size_t j = 0; j < symbol->frame_count; j++) {
      fputs(between, stream);
      write_frame(symbol, &symbol->frames[j], stream);
      between = ",\n    ";
    }
  }
  fputs("]", stream);
}

static void write_thread(const struct track_thread *thread, FILE *stream)
{
  if (thread == NULL) {
    fputs(",\"thread\":null", stream);
    return;
  }
  fprintf(stream, ",\"thread\":{\"id\":%" PRIu64, thread->kernel_id);
  json_write_member(stream, "name", thread->name);
  fputs("}", stream);
}

static void write_blocks(const struct track_file *file, const struct track_leak *leak, FILE *stream)
{
  const char *between = "";
  fputs(",\"addresses\":[", stream);
  for (size_t i = 0; i < file->block_count; i++) {
    const struct track_block *block = &file->blocks[i];
    if (block->stack != leak->stack || strcmp(block->kind, leak->kind) != 0) continue;
    fprintf(stream, "%s{\"address\":\"0x%" PRIx64 "\",\"bytes\":%" PRIu64 "}", between,
            block->address, block->bytes);
    between = ",";
  }
  fputs("]", stream);
}

static void write_sum(const char *name, struct leak_sum sum, FILE *stream)
{
  fprintf(stream, "\"%s\":{\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", name, sum.blocks,
          sum.bytes);
}

static void write_summary(const struct leak_report *report, FILE *stream)
{
  struct leak_sum sum;
  fputs(",\n \"summary\":{", stream);
  for (size_t i = 0; i < report->leak_count;) {
    const char *kind = report->leaks[i]->kind;
    i += leak_report_kind(report, i, &sum);
    write_sum(kind, sum, stream);
    fputs(",", stream);
  }
  write_sum("leaked", report->lost, stream);
  fputs(",", stream);
  write_sum("suppressed", report->suppressed, stream);
  fputs(",", stream);
  write_sum("reachable", report->kept, stream);
  fputs("}", stream);
}

static void write_leak(const struct leak_report *report, const struct track_leak *leak,
                       bool shows_blocks, FILE *stream)
{
  fprintf(stream, "{\"kind\":\"%s\",\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64, leak->kind,
          leak->count, leak->bytes);
  if (leak_report_has_times(report, leak)) {
    fprintf(stream, ",\"first_ms\":%" PRIu64 ",\"last_ms\":%" PRIu64, leak->first_ms,
            leak->last_ms);
  } else {
    fputs(",\"first_ms\":null,\"last_ms\":null", stream);
  }
  write_thread(leak_report_thread(report, leak), stream);
  if (shows_blocks) write_blocks(report->file, leak, stream);
  write_stack(report, leak->stack, stream);
  fputs("}", stream);
}

static void write_reached(const struct leak_report *report, size_t limit, FILE *stream)
{
  fputs(",\n \"reachable\":[", stream);
  for (size_t i = 0; i < report->reached_count && i < limit; i++) {
    const struct track_reached *reached = report->reached[i];
    fprintf(stream, "%s{\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64, i > 0 ? ",\n  " : "",
            reached->count, reached->bytes);
    write_stack(report, reached->stack, stream);
    fputs("}", stream);
  }
  fputs("]", stream);
}

static void write_growth(const struct leak_report *report, size_t limit, FILE *stream)
{
  fprintf(stream, ",\n \"since_ms\":%" PRIu64 ",\n \"growth\":[", report->since->uptime_ms);
  for (size_t i = 0; i < report->grown_count && i < limit; i++) {
    const struct leak_growth *grown = &report->grown[i];
    fprintf(stream, "%s{\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64, i > 0 ? ",\n  " : "",
            grown->more.blocks, grown->more.bytes);
    write_stack(report, grown->stack, stream);
    fputs("}", stream);
  }
  fputs("]", stream);
}

void leak_json_write(const struct leak_report *report, const struct leak_view *view, FILE *stream)
{
  fputc('{', stream);
  json_head_track(stream, report->file);
  write_summary(report, stream);
  fprintf(stream, ",\n \"strays\":%" PRIu64, report->file->strays);
  size_t shown = report->leak_count < view->limit ? report->leak_count : view->limit;
  fprintf(stream, ",\n \"omitted_stacks\":%zu,\n \"leaks\":[", report->leak_count - shown);
  for (size_t i = 0; i < shown; i++) {
    if (i > 0) fputs(",\n  ", stream);
    write_leak(report, report->leaks[i], view->shows_blocks, stream);
  }
  fputs("]", stream);
  if (view->shows_reachable) write_reached(report, view->limit, stream);
  if (report->since != NULL) write_growth(report, view->limit, stream);
  fputs("}", stream);
}

void leak_json_write_suppressions(const struct suppressions *suppressions, FILE *stream)
{
  const char *between = "";
  fputs("\"suppressions\":[", stream);
  for (size_t i = 0; i < suppressions->count; i++) {
    const struct suppression *row = &suppressions->rows[i];
    if (row->blocks == 0) continue;
    fprintf(stream, "%s{\"pattern\":", between);
    json_write_string(stream, row->pattern);
    fprintf(stream, ",\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", row->blocks, row->bytes);
    between = ",";
  }
  fputs("]", stream);
}
