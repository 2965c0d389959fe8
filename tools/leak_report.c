// SPDX-License-Identifier: MIT
#include "leak_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

// Kinds that this version does not know come last.
static size_t rank_of(const char *kind)
{
  static const char *const kinds[] = {"direct", "cycle", "rc_cycle", "handle", "indirect"};
  size_t rank = 0;
  while (rank < sizeof kinds / sizeof kinds[0] && strcmp(kind, kinds[rank]) != 0) rank++;
  return rank;
}

static int order_numbers(uint64_t one, uint64_t two)
{
  return (one > two) - (one < two);
}

static int compare_leaks(const void *first, const void *second)
{
  const struct track_leak *one = *(const struct track_leak *const *)first;
  const struct track_leak *two = *(const struct track_leak *const *)second;
  int order = order_numbers(rank_of(one->kind), rank_of(two->kind));
  if (order == 0) order = strcmp(one->kind, two->kind);
  if (order == 0) order = order_numbers(two->bytes, one->bytes);
  if (order == 0) order = order_numbers(two->count, one->count);
  return order != 0 ? order : order_numbers(one->stack, two->stack);
}

static int compare_reached(const void *first, const void *second)
{
  const struct track_reached *one = *(const struct track_reached *const *)first;
  const struct track_reached *two = *(const struct track_reached *const *)second;
  int order = order_numbers(two->bytes, one->bytes);
  if (order == 0) order = order_numbers(two->count, one->count);
  return order != 0 ? order : order_numbers(one->stack, two->stack);
}

static void add(struct leak_sum *sum, uint64_t blocks, uint64_t bytes)
{
  sum->blocks += blocks;
  sum->bytes += bytes;
}

static void suppress(struct leak_report *report, struct suppression *row,
                     const struct track_leak *leak)
{
  row->blocks += leak->count;
  row->bytes += leak->bytes;
  add(&report->suppressed, leak->count, leak->bytes);
}

// Takes the indirect leaks out if nothing else is left: they hang on what `row` has suppressed.
static void suppress_indirect(struct leak_report *report, struct suppression *row)
{
  for (size_t i = 0; i < report->leak_count; i++) {
    if (strcmp(report->leaks[i]->kind, "indirect") != 0) return;
  }
  for (size_t i = 0; i < report->leak_count; i++) suppress(report, row, report->leaks[i]);
  report->leak_count = 0;
}

static void choose_leaks(struct leak_report *report, struct suppressions *suppressions)
{
  const struct track_file *file = report->file;
  struct suppression *last = NULL;
  for (size_t i = 0; i < file->leak_count; i++) {
    const struct track_leak *leak = &file->leaks[i];
    struct suppression *row = suppressions_find(suppressions, report->symbols, file, leak->stack);
    if (row == NULL) {
      report->leaks[report->leak_count++] = leak;
    } else {
      suppress(report, row, leak);
      if (strcmp(leak->kind, "indirect") != 0) last = row;
    }
  }
  if (last != NULL) suppress_indirect(report, last);
  for (size_t i = 0; i < report->leak_count; i++) {
    add(&report->lost, report->leaks[i]->count, report->leaks[i]->bytes);
  }
}

bool leak_report_make(struct leak_report *report, const struct track_file *file,
                      struct suppressions *suppressions)
{
  *report = (struct leak_report){.file = file, .symbols = symbols_open(file)};
  if (report->symbols == NULL) return false;
  report->leaks = calloc(file->leak_count + 1, sizeof *report->leaks);
  report->reached = calloc(file->reached_count + 1, sizeof *report->reached);
  if (report->leaks == NULL || report->reached == NULL) {
    complain("out of memory for the report");
    return false;
  }
  choose_leaks(report, suppressions);
  qsort(report->leaks, report->leak_count, sizeof(struct track_leak *), compare_leaks);
  for (size_t i = 0; i < file->reached_count; i++) {
    report->reached[report->reached_count++] = &file->reached[i];
    add(&report->kept, file->reached[i].count, file->reached[i].bytes);
  }
  qsort(report->reached, report->reached_count, sizeof(struct track_reached *), compare_reached);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Growth. A stack keeps its number as long as its process lives.

static int compare_stack(const void *number, const void *element)
{
  const struct track_stack *stack = element;
  return order_numbers(*(const uint64_t *)number, stack->number);
}

// What was reached then, by the stacks of the file that is now.
static struct leak_sum *sums_before(const struct track_file *file, const struct track_file *since)
{
  struct leak_sum *sums = calloc(file->stack_count + 1, sizeof *sums);
  for (size_t i = 0; sums != NULL && i < since->reached_count; i++) {
    const struct track_reached *reached = &since->reached[i];
    const struct track_stack *stack =
        bsearch(&since->stacks[reached->stack].number, file->stacks, file->stack_count,
                sizeof *file->stacks, compare_stack);
    if (stack != NULL) add(&sums[stack - file->stacks], reached->count, reached->bytes);
  }
  return sums;
}

static int compare_growth(const void *first, const void *second)
{
  const struct leak_growth *one = first;
  const struct leak_growth *two = second;
  int order = order_numbers(two->more.bytes, one->more.bytes);
  return order != 0 ? order : order_numbers(one->stack, two->stack);
}

bool leak_report_compare(struct leak_report *report, const struct track_file *since)
{
  const struct track_file *file = report->file;
  if (since->pid != file->pid) {
    complain("%s is of process %" PRIu64 ", %s of another", since->path, since->pid, file->path);
    return false;
  }
  struct leak_sum *before = sums_before(file, since);
  report->since = since;
  report->grown = calloc(file->reached_count + 1, sizeof *report->grown);
  if (before == NULL || report->grown == NULL) {
    complain("out of memory for the report");
    free(before);
    return false;
  }
  for (size_t i = 0; i < file->reached_count; i++) {
    const struct track_reached *now = &file->reached[i];
    struct leak_sum then = before[now->stack];
    if (now->bytes <= then.bytes) continue;
    uint64_t blocks = now->count > then.blocks ? now->count - then.blocks : 0;
    report->grown[report->grown_count++] =
        (struct leak_growth){now->stack, {blocks, now->bytes - then.bytes}};
  }
  free(before);
  qsort(report->grown, report->grown_count, sizeof *report->grown, compare_growth);
  return true;
}

void leak_report_free(struct leak_report *report)
{
  symbols_close(report->symbols);
  free(report->leaks);
  free(report->reached);
  free(report->grown);
  *report = (struct leak_report){0};
}

size_t leak_report_kind(const struct leak_report *report, size_t first, struct leak_sum *sum)
{
  const char *kind = report->leaks[first]->kind;
  size_t next = first;
  *sum = (struct leak_sum){0};
  while (next < report->leak_count && strcmp(report->leaks[next]->kind, kind) == 0) {
    add(sum, report->leaks[next]->count, report->leaks[next]->bytes);
    next++;
  }
  return next - first;
}

const struct track_thread *leak_report_thread(const struct leak_report *report,
                                              const struct track_leak *leak)
{
  const struct track_file *file = report->file;
  bool is_known = leak->thread < file->thread_count;
  return is_known ? &file->threads[leak->thread] : NULL;
}

bool leak_report_has_times(const struct leak_report *report, const struct track_leak *leak)
{
  const struct track_file *file = report->file;
  return file->mode == TRACK_EXACT || file->stacks[leak->stack].number != 0;
}
