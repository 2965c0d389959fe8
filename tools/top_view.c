// SPDX-License-Identifier: MIT
#include "top_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "figures.h"
#include "json_head.h"
#include "json_text.h"
#include "process_name.h"
#include "remote_json.h"

const char *const top_sort_names[SORT_COUNT + 1] = {"live", "free", "size", NULL};

void top_moment_take(struct top_moment *moment, const struct remote *remote)
{
  *moment = (struct top_moment){
      .nanoseconds = (uint64_t)clock_ns(CLOCK_MONOTONIC),
      .live_bytes = remote->totals.live_bytes,
      .resident_bytes = remote_resident_bytes(remote->target),
      .purged_bytes = remote->counters.purged_bytes,
      .os_call_count = remote->counters.os_call_count,
  };
}

// ---------------------------------------------------------------------------------------------
// The head.

// How much a second, with its sign, in parentheses; "" if there was no look before.
static const char *rate_text(char text[static FIGURE_TEXT_MOST], const struct top_view *view,
                             uint64_t now, uint64_t before)
{
  char size[FIGURE_TEXT_MOST];
  text[0] = '\0';
  if (view->before.nanoseconds == 0 || view->now.nanoseconds <= view->before.nanoseconds) {
    return text;
  }
  double seconds = (double)(view->now.nanoseconds - view->before.nanoseconds) / 1e9;
  bool is_less = now < before;
  figure_write(size, UNIT_BYTES, (double)(is_less ? before - now : now - before) / seconds);
  snprintf(text, FIGURE_TEXT_MOST, " (%c%.20s/s)", is_less ? '-' : '+', size);
  return text;
}

static double share(uint64_t part, uint64_t whole)
{
  return whole == 0 ? 0 : 100 * (double)part / (double)whole;
}

static void write_title(FILE *stream, const struct top_view *view)
{
  const struct remote *remote = view->remote;
  char program[PROCESS_NAME_MOST];
  process_program_name(program, remote->target);
  fprintf(stream, "mend top: %s%s%s, mend %s%s", remote->target->name,
          program[0] != '\0' ? " " : "", program,
          remote->root.version >= 2 ? remote->root.library : "before 0.5",
          (remote->root.flags & MEND_ROOT_IS_HARDENED) != 0 ? " hardened" : "");
  fprintf(stream, "%s\n", view->note);
}

static void write_memory(FILE *stream, const struct top_view *view)
{
  const struct remote_totals *totals = &view->remote->totals;
  char texts[6][FIGURE_TEXT_MOST];
  uint64_t free_bytes = totals->free_bytes + totals->kept_bytes;
  uint64_t carved_bytes = free_bytes + totals->live_bytes - totals->large_bytes;
  if (view->now.resident_bytes != 0) {
    fprintf(stream, "resident %s%s   ", figure_bytes(texts[0], view->now.resident_bytes),
            rate_text(texts[1], view, view->now.resident_bytes, view->before.resident_bytes));
  }
  fprintf(stream, "live %s%s   large %s in %" PRIu64 "\n",
          figure_bytes(texts[2], totals->live_bytes),
          rate_text(texts[3], view, totals->live_bytes, view->before.live_bytes),
          figure_bytes(texts[4], totals->large_bytes), totals->large_count);
  fprintf(stream, "free in pages %s, %.1f %% of what is carved   of it ready in heaps %s\n",
          figure_bytes(texts[0], free_bytes), share(free_bytes, carved_bytes),
          figure_bytes(texts[1], totals->kept_bytes));
  fprintf(stream, "uncarved %s   kept for reuse %s   unused %s   of accessible %s\n",
          figure_bytes(texts[0], totals->uncarved_bytes),
          figure_bytes(texts[1], totals->retained_bytes),
          figure_bytes(texts[2], totals->unused_bytes),
          figure_bytes(texts[3], totals->committed_bytes));
}

static void write_kernel(FILE *stream, const struct top_view *view)
{
  static const char *const modes[] = {"off", "sampled", "exact", "?"};
  const struct remote *remote = view->remote;
  char texts[3][FIGURE_TEXT_MOST];
  uint64_t budget = 0, limit = 0;
  fprintf(stream, "metadata %s   returned %s%s",
          figure_bytes(texts[0], remote->totals.metadata_bytes),
          figure_bytes(texts[1], remote->counters.purged_bytes),
          rate_text(texts[2], view, remote->counters.purged_bytes, view->before.purged_bytes));
  if (remote_option(remote, "map_budget", &budget)) {
    fprintf(stream, "   mappings %" PRIu64 " of %" PRIu64, remote->counters.mapping_count, budget);
  }
  if (remote_option(remote, "limit", &limit) && limit != 0) {
    fprintf(stream, "   limit %s", figure_bytes(texts[0], limit));
  }
  if (remote->root.version >= 2) {
    fprintf(stream, "   tracking %s", modes[remote->counters.tracking_mode & 3]);
  }
  fputc('\n', stream);
  if (remote->torn_count > 0 || remote->is_cut_off) {
    fprintf(stream, "not certain: %" PRIu64 " pages changed while they were read%s\n",
            remote->torn_count, remote->is_cut_off ? ", and there is more than was read" : "");
  }
}

// ---------------------------------------------------------------------------------------------
// Classes.

struct sorted {
  const struct remote_class *of_class;
  uint64_t key;
};

static int compare_keys(const void *left, const void *right)
{
  const struct sorted *one = left, *other = right;
  if (one->key != other->key) return one->key > other->key ? -1 : 1;
  return one->of_class < other->of_class ? -1 : one->of_class > other->of_class;
}

static uint64_t class_key(const struct remote_class *of_class, enum top_sort sort)
{
  switch (sort) {
  case SORT_LIVE:
    return of_class->live_count * of_class->block_bytes;
  case SORT_FREE:
    return (of_class->free_count + of_class->kept_count) * of_class->block_bytes;
  case SORT_SIZE:
    break;
  }
  return UINT64_MAX - of_class->block_bytes;
}

static size_t sort_classes(const struct top_view *view, struct sorted *sorted)
{
  size_t count = 0;
  for (size_t i = 0; i < REMOTE_CLASSES_MOST; i++) {
    const struct remote_class *of_class = &view->remote->classes[i];
    if (of_class->page_count == 0) continue;
    sorted[count++] = (struct sorted){of_class, class_key(of_class, view->sort)};
  }
  qsort(sorted, count, sizeof *sorted, compare_keys);
  return count;
}

static void write_class(FILE *stream, const struct remote_class *of_class)
{
  char texts[2][FIGURE_TEXT_MOST];
  uint64_t live_bytes = of_class->live_count * of_class->block_bytes;
  uint64_t free_bytes = (of_class->free_count + of_class->kept_count) * of_class->block_bytes;
  fprintf(stream, "%8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %11s %8" PRIu64 " %11s %7.1f\n",
          of_class->block_bytes, of_class->page_count, of_class->live_count,
          figure_bytes(texts[0], live_bytes), of_class->kept_count,
          figure_bytes(texts[1], free_bytes), share(live_bytes, live_bytes + free_bytes));
}

static void write_classes(FILE *stream, const struct top_view *view, size_t rows)
{
  struct sorted sorted[REMOTE_CLASSES_MOST];
  size_t count = sort_classes(view, sorted);
  fprintf(stream, "\n%8s %8s %10s %11s %8s %11s %7s  by %s\n", "block", "pages", "live",
          "live bytes", "ready", "free bytes", "full %", top_sort_names[view->sort]);
  for (size_t i = 0; i < count && i < rows; i++) write_class(stream, sorted[i].of_class);
}

// ---------------------------------------------------------------------------------------------
// Heaps.

static int compare_heaps(const void *left, const void *right)
{
  const struct remote_heap *one = *(const struct remote_heap *const *)left;
  const struct remote_heap *other = *(const struct remote_heap *const *)right;
  uint64_t bytes = one->page_bytes + one->kept_bytes;
  uint64_t other_bytes = other->page_bytes + other->kept_bytes;
  if (bytes != other_bytes) return bytes > other_bytes ? -1 : 1;
  return one->address < other->address ? -1 : one->address > other->address;
}

static void write_heap(FILE *stream, const struct remote *remote, const struct remote_heap *heap)
{
  char name[PROCESS_NAME_MOST];
  char texts[4][FIGURE_TEXT_MOST];
  process_heap_name(name, remote->target, heap);
  fprintf(stream, "%-31.31s %9" PRIu64 " %11s %11s %11s %11s\n", name, heap->page_count,
          figure_bytes(texts[0], heap->page_bytes), figure_bytes(texts[1], heap->used_bytes),
          figure_bytes(texts[2], heap->free_bytes), figure_bytes(texts[3], heap->kept_bytes));
}

static void write_heaps(FILE *stream, const struct top_view *view, size_t rows)
{
  const struct remote *remote = view->remote;
  const struct remote_heap **sorted = calloc(remote->heap_count + 1, sizeof *sorted);
  size_t count = 0;
  if (sorted == NULL || remote->root.version < 2) {
    free(sorted);
    return;
  }
  for (size_t i = 0; i < remote->heap_count; i++) {
    const struct remote_heap *heap = &remote->heaps[i];
    if (heap->page_count > 0 || heap->kept_count > 0) sorted[count++] = heap;
  }
  qsort(sorted, count, sizeof *sorted, compare_heaps);
  fprintf(stream, "\n%-31s %9s %11s %11s %11s %11s\n", "heap of", "pages", "bytes", "in use",
          "free", "ready");
  for (size_t i = 0; i < count && i < rows; i++) write_heap(stream, remote, sorted[i]);
  free(sorted);
}

void top_view_write(FILE *stream, const struct top_view *view)
{
  enum { HEAD_LINES = 6, TABLE_LINES = 2 };
  size_t room = SIZE_MAX / 2;
  if (view->rows != 0) {
    size_t fixed = HEAD_LINES + 2 * TABLE_LINES + 1;
    room = view->rows > fixed + 4 ? view->rows - fixed : 4;
  }
  write_title(stream, view);
  write_memory(stream, view);
  write_kernel(stream, view);
  write_classes(stream, view, room - room / 3);
  write_heaps(stream, view, room / 3);
}

// ---------------------------------------------------------------------------------------------
// JSON.

void top_view_write_json(FILE *stream, const struct top_view *view)
{
  const struct remote *remote = view->remote;
  char name[PROCESS_NAME_MOST];
  const char *comma = "";
  json_head_begin(stream, "top");
  fputc(',', stream);
  json_head_process(stream, (uint64_t)remote->target->process, remote->target->program,
                    clock_ns(CLOCK_REALTIME));
  json_write_member(stream, "library", remote->root.version >= 2 ? remote->root.library : NULL);
  json_write_numbers(stream, &(struct json_number){"resident_bytes", view->now.resident_bytes}, 1);
  remote_json_totals(stream, remote);
  fputs(",\"classes\":[", stream);
  for (size_t i = 0; i < REMOTE_CLASSES_MOST; i++) {
    const struct remote_class *row = &remote->classes[i];
    if (row->page_count == 0) continue;
    fprintf(stream,
            "%s{\"block_bytes\":%" PRIu64 ",\"page_count\":%" PRIu64 ",\"live_count\":%" PRIu64
            ",\"cached_count\":%" PRIu64 ",\"free_count\":%" PRIu64 "}",
            comma, row->block_bytes, row->page_count, row->live_count, row->kept_count,
            row->free_count);
    comma = ",";
  }
  fputs("],\"heaps\":[", stream);
  comma = "";
  for (size_t i = 0; i < remote->heap_count; i++) {
    const struct remote_heap *heap = &remote->heaps[i];
    process_heap_name(name, remote->target, heap);
    fprintf(stream,
            "%s{\"of\":\"%s\",\"page_count\":%" PRIu64 ",\"page_bytes\":%" PRIu64
            ",\"used_bytes\":%" PRIu64 ",\"free_bytes\":%" PRIu64 ",\"cached_bytes\":%" PRIu64 "}",
            comma, name, heap->page_count, heap->page_bytes, heap->used_bytes, heap->free_bytes,
            heap->kept_bytes);
    comma = ",";
  }
  fputs("]}\n", stream);
}
