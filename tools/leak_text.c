// SPDX-License-Identifier: MIT
//
// A leak report for people, in the words of LeakSanitizer, so that what looks for those finds
// these.
#include <inttypes.h>
#include <string.h>

#include "leak_report.h"
#include "plain.h"
#include "stack_text.h"

#define RULE "================================================================="

static void write_stack(const struct leak_report *report, size_t stack, FILE *stream)
{
  stack_text_write(report->symbols, report->file, stack, stream);
}

static const char *title_of(const char *kind)
{
  static const char *const titles[][2] = {
      {"direct", "Direct"}, {"indirect", "Indirect"},        {"cycle", "Cyclic"},
      {"handle", "Handle"}, {"rc_cycle", "Reference cycle"},
  };
  for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
    if (strcmp(kind, titles[i][0]) == 0) return titles[i][1];
  }
  return kind;
}

static void write_blocks(const struct leak_report *report, const struct track_leak *leak,
                         FILE *stream)
{
  const struct track_file *file = report->file;
  for (size_t i = 0; i < file->block_count; i++) {
    const struct track_block *block = &file->blocks[i];
    if (block->stack != leak->stack || strcmp(block->kind, leak->kind) != 0) continue;
    fprintf(stream, "    0x%" PRIx64 " (%" PRIu64 " bytes)\n", block->address, block->bytes);
  }
}

static void write_times(const struct leak_report *report, const struct track_leak *leak,
                        FILE *stream)
{
  if (!leak_report_has_times(report, leak)) return;
  const struct track_thread *thread = leak_report_thread(report, leak);
  fprintf(stream, "  %s %" PRIu64 ".%03" PRIu64 " s", leak->count > 1 ? "from" : "at",
          leak->first_ms / 1000, leak->first_ms % 1000);
  if (leak->count > 1) {
    fprintf(stream, " to %" PRIu64 ".%03" PRIu64 " s", leak->last_ms / 1000, leak->last_ms % 1000);
  }
  if (thread != NULL) fprintf(stream, ", thread %" PRIu64, thread->kernel_id);
  if (thread != NULL && *thread->name != '\0') {
    fputs(" (", stream);
    plain_write(stream, thread->name);
    fputc(')', stream);
  }
  fputc('\n', stream);
}

static void write_leak(const struct leak_report *report, const struct track_leak *leak,
                       bool shows_blocks, FILE *stream)
{
  fprintf(stream, "%s leak of %" PRIu64 " byte(s) in %" PRIu64 " object(s) allocated from:\n",
          title_of(leak->kind), leak->bytes, leak->count);
  write_stack(report, leak->stack, stream);
  write_times(report, leak, stream);
  if (shows_blocks) write_blocks(report, leak, stream);
  fputc('\n', stream);
}

static void write_leaks(const struct leak_report *report, const struct leak_view *view,
                        FILE *stream)
{
  struct leak_sum rest = {0};
  for (size_t i = 0; i < report->leak_count; i++) {
    const struct track_leak *leak = report->leaks[i];
    if (i < view->limit) {
      write_leak(report, leak, view->shows_blocks, stream);
    } else {
      rest.blocks += leak->count;
      rest.bytes += leak->bytes;
    }
  }
  if (report->leak_count > view->limit) {
    fprintf(stream, "And %zu more stack(s), with %" PRIu64 " byte(s) in %" PRIu64 " object(s).\n\n",
            report->leak_count - view->limit, rest.bytes, rest.blocks);
  }
}

static void write_reached(const struct leak_report *report, const struct leak_view *view,
                          FILE *stream)
{
  for (size_t i = 0; i < report->reached_count && i < view->limit; i++) {
    const struct track_reached *reached = report->reached[i];
    fprintf(stream,
            "Still reachable: %" PRIu64 " byte(s) in %" PRIu64 " object(s) allocated from:\n",
            reached->bytes, reached->count);
    write_stack(report, reached->stack, stream);
    fputc('\n', stream);
  }
}

static void write_growth(const struct leak_report *report, const struct leak_view *view,
                         FILE *stream)
{
  const struct track_file *file = report->file;
  const struct track_file *since = report->since;
  if (since == NULL) return;
  uint64_t ms = file->uptime_ms > since->uptime_ms ? file->uptime_ms - since->uptime_ms : 0;
  for (size_t i = 0; i < report->grown_count && i < view->limit; i++) {
    const struct leak_growth *grown = &report->grown[i];
    fprintf(stream,
            "Growth of %" PRIu64 " byte(s) in %" PRIu64 " object(s), in %" PRIu64 ".%03" PRIu64
            " s, still reachable, allocated from:\n",
            grown->more.bytes, grown->more.blocks, ms / 1000, ms % 1000);
    write_stack(report, grown->stack, stream);
    fputc('\n', stream);
  }
  if (report->grown_count == 0) fputs("Nothing that is still reachable has grown.\n\n", stream);
}

static void write_summary(const struct leak_report *report, FILE *stream)
{
  struct leak_sum sum;
  for (size_t i = 0; i < report->leak_count;) {
    const char *kind = report->leaks[i]->kind;
    i += leak_report_kind(report, i, &sum);
    fprintf(stream, "  %-16s %12" PRIu64 " byte(s) in %" PRIu64 " object(s)\n", title_of(kind),
            sum.bytes, sum.blocks);
  }
  if (report->suppressed.blocks > 0) {
    fprintf(stream, "  %-16s %12" PRIu64 " byte(s) in %" PRIu64 " object(s)\n", "Suppressed",
            report->suppressed.bytes, report->suppressed.blocks);
  }
  fprintf(stream, "  %-16s %12" PRIu64 " byte(s) in %" PRIu64 " object(s)\n", "Still reachable",
          report->kept.bytes, report->kept.blocks);
  if (report->leak_count == 0) {
    fputs("SUMMARY: mend: no leaks.\n", stream);
  } else {
    fprintf(stream, "SUMMARY: mend: %" PRIu64 " byte(s) leaked in %" PRIu64 " allocation(s).\n",
            report->lost.bytes, report->lost.blocks);
  }
}

static void write_cut_stacks(const struct leak_report *report, const struct leak_view *view,
                             FILE *stream)
{
  size_t cut = 0;
  for (size_t i = 0; i < report->leak_count && i < view->limit; i++) {
    cut += stack_text_is_cut(report->symbols, report->file, report->leaks[i]->stack);
  }
  if (cut == 0) return;
  fprintf(stream, "%zu stack%s cut short: some code does not tell its callers (docs/leaks.md).\n",
          cut, cut == 1 ? " is" : "s are");
}

// Other threads may have been at work on one each.
static void write_strays(const struct track_file *file, FILE *stream)
{
  if (file->strays == 0 || file->strays < file->thread_count) return;
  fprintf(stream,
          "%" PRIu64 " block%s neither in use nor on a list of free ones: was something written "
          "after its free?\n",
          file->strays, file->strays == 1 ? " is" : "s are");
}

void leak_text_write(const struct leak_report *report, const struct leak_view *view, FILE *stream)
{
  const struct track_file *file = report->file;
  if (report->leak_count > 0) {
    fprintf(stream, RULE "\n==%" PRIu64 "==ERROR: mend: detected memory leaks in ", file->pid);
  } else {
    fprintf(stream, "==%" PRIu64 "== mend: no leaks in ", file->pid);
  }
  stack_text_command(file, stream);
  fputs("\n\n", stream);
  write_leaks(report, view, stream);
  if (view->shows_reachable) write_reached(report, view, stream);
  write_growth(report, view, stream);
  write_cut_stacks(report, view, stream);
  write_strays(file, stream);
  write_summary(report, stream);
}

void leak_text_write_suppressions(const struct suppressions *suppressions, FILE *stream)
{
  bool is_any = false;
  for (size_t i = 0; i < suppressions->count; i++) {
    const struct suppression *row = &suppressions->rows[i];
    if (row->blocks == 0) continue;
    if (!is_any) fputs("Suppressions used:\n  count      bytes template\n", stream);
    is_any = true;
    fprintf(stream, "%7" PRIu64 " %10" PRIu64 " %s\n", row->blocks, row->bytes, row->pattern);
  }
}
