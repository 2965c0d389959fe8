// SPDX-License-Identifier: MIT
//
// A profile as heaptrack's text, version 3: strings, instructions with their names, traces that
// share their outer part, and an event for each block, all numbers hexadecimal. Blocks that are
// gone come first; each is freed when the next is there, and never is it the same description twice
// in a row, or they would count as short-lived ("temporary"). So the end is the peak.
#include "profile_formats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "plain.h"
#include "string_table.h"

// More events than this, and each stands for several blocks.
static const int64_t events_most = 2000000;

struct path {
  const struct profile_row *row;
  struct profile_frame *frames;  // innermost first
  size_t count;
  size_t trace;  // its number
};

struct heaptrack {
  const struct profile *profile;
  FILE *stream;
  struct string_table strings;
  size_t *first_ips;   // of a symbol, the number of its first frame
  struct path *paths;  // of the rows, ordered from the outermost caller on
  size_t path_count;
  size_t trace_count, info_count;
  int64_t blocks_an_event;
};

// ---------------------------------------------------------------------------------------------
// Strings and instructions.

// Numbers count from 1.
static size_t number_of(const struct heaptrack *heaptrack, const char *text)
{
  return string_table_number(&heaptrack->strings, text) + 1;
}

static bool collect_strings(struct heaptrack *heaptrack)
{
  const struct profile *profile = heaptrack->profile;
  struct string_table *strings = &heaptrack->strings;
  size_t most = 1;
  for (size_t i = 0; i < profile->used_count; i++) {
    most += 1 + 2 * profile->symbols_used[i]->frame_count;
  }
  if (!string_table_make(strings, most)) return false;
  string_table_add(strings, PROFILE_UNKNOWN);
  for (size_t i = 0; i < profile->used_count; i++) {
    const struct symbol *symbol = profile->symbols_used[i];
    if (symbol->module != NULL) string_table_add(strings, symbol->module->path);
    for (size_t k = 0; k < symbol->frame_count; k++) {
      const struct symbol_frame *frame = &symbol->frames[k];
      if (frame->function != NULL) string_table_add(strings, frame->function);
      if (frame->file != NULL) string_table_add(strings, frame->file);
    }
  }
  string_table_order(strings);
  return true;
}

static void write_strings(const struct heaptrack *heaptrack)
{
  for (size_t i = 0; i < heaptrack->strings.count; i++) {
    const char *text = heaptrack->strings.texts[i];
    fprintf(heaptrack->stream, "s %zx ", strlen(text));
    plain_write(heaptrack->stream, text);
    fputc('\n', heaptrack->stream);
  }
}

static void write_ip(const struct heaptrack *heaptrack, const struct symbol *symbol, size_t index)
{
  const struct symbol_frame *frame = &symbol->frames[index];
  size_t module = symbol->module != NULL ? number_of(heaptrack, symbol->module->path) : 0;
  fprintf(heaptrack->stream, "i %" PRIx64 " %zx", symbol->address, module);
  if (frame->function != NULL) {
    fprintf(heaptrack->stream, " %zx", number_of(heaptrack, frame->function));
    if (frame->file != NULL) {
      fprintf(heaptrack->stream, " %zx %" PRIx32, number_of(heaptrack, frame->file), frame->line);
    }
  }
  fputc('\n', heaptrack->stream);
}

// Number 1 stands for what is not known.
static bool write_ips(struct heaptrack *heaptrack)
{
  const struct profile *profile = heaptrack->profile;
  heaptrack->first_ips = calloc(profile->used_count + 1, sizeof *heaptrack->first_ips);
  if (heaptrack->first_ips == NULL) return false;
  write_strings(heaptrack);
  fprintf(heaptrack->stream, "i 1 0 %zx\n", number_of(heaptrack, PROFILE_UNKNOWN));
  size_t next = 2;
  for (size_t i = 0; i < profile->used_count; i++) {
    const struct symbol *symbol = profile->symbols_used[i];
    heaptrack->first_ips[i] = next;
    for (size_t k = 0; k < symbol->frame_count; k++) write_ip(heaptrack, symbol, k);
    next += symbol->frame_count;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// Traces.

static const struct profile_frame *frame_from_outside(const struct path *path, size_t depth)
{
  return &path->frames[path->count - 1 - depth];
}

static int compare_paths(const void *first, const void *second)
{
  const struct path *one = first;
  const struct path *two = second;
  for (size_t i = 0; i < one->count && i < two->count; i++) {
    int order = profile_compare_frames(frame_from_outside(one, i), frame_from_outside(two, i));
    if (order != 0) return order;
  }
  return (one->count > two->count) - (one->count < two->count);
}

// How many callers two paths have in common.
static size_t common_depth(const struct path *one, const struct path *other)
{
  size_t depth = 0;
  while (depth < one->count && depth < other->count &&
         profile_compare_frames(frame_from_outside(one, depth), frame_from_outside(other, depth)) ==
             0) {
    depth++;
  }
  return depth;
}

static bool collect_paths(struct heaptrack *heaptrack)
{
  const struct profile *profile = heaptrack->profile;
  heaptrack->paths = calloc(profile->row_count + 1, sizeof *heaptrack->paths);
  if (heaptrack->paths == NULL) return false;
  for (size_t i = 0; i < profile->row_count; i++) {
    struct path *path = &heaptrack->paths[i];
    path->row = &profile->rows[i];
    path->frames = profile_frames(path->row, &path->count);
    if (path->frames == NULL) return false;
    heaptrack->path_count++;
  }
  qsort(heaptrack->paths, heaptrack->path_count, sizeof *heaptrack->paths, compare_paths);
  return true;
}

// `traces` are the numbers along the path before, from its outermost caller on; they become those
// along this one.
static void write_trace(struct heaptrack *heaptrack, struct path *path, size_t common,
                        size_t *traces)
{
  for (size_t i = common; i < path->count; i++) {
    const struct profile_frame *frame = frame_from_outside(path, i);
    size_t symbol = profile_symbol_index(heaptrack->profile, frame->symbol);
    size_t ip = heaptrack->first_ips[symbol] + frame->index;
    fprintf(heaptrack->stream, "t %zx %zx\n", ip, i > 0 ? traces[i - 1] : 0);
    traces[i] = ++heaptrack->trace_count;
  }
  path->trace = path->count > 0 ? traces[path->count - 1] : 1;
}

static bool write_traces(struct heaptrack *heaptrack)
{
  size_t deepest = 0;
  for (size_t i = 0; i < heaptrack->path_count; i++) {
    if (heaptrack->paths[i].count > deepest) deepest = heaptrack->paths[i].count;
  }
  size_t *traces = calloc(deepest + 1, sizeof *traces);
  if (traces == NULL) return false;
  // Number 1, of what is not known.
  fputs("t 1 0\n", heaptrack->stream);
  heaptrack->trace_count = 1;
  for (size_t i = 0; i < heaptrack->path_count; i++) {
    struct path *path = &heaptrack->paths[i];
    size_t common = i > 0 ? common_depth(&heaptrack->paths[i - 1], path) : 0;
    write_trace(heaptrack, path, common, traces);
  }
  free(traces);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Events.

// What is still to be freed: the last block that has been allocated and is gone at the end.
enum { NOTHING = 0 };

static size_t write_info(struct heaptrack *heaptrack, int64_t size, size_t trace)
{
  fprintf(heaptrack->stream, "a %" PRIx64 " %zx\n", size, trace);
  return heaptrack->info_count++;
}

// Blocks that add up to `bytes`. Those that are gone leave the last of them in `pending`.
static void write_blocks(struct heaptrack *heaptrack, const struct path *path, int64_t count,
                         int64_t bytes, bool are_gone, size_t *pending)
{
  if (count <= 0 || bytes < 0) return;
  int64_t events = count / heaptrack->blocks_an_event;
  if (events == 0) events = 1;
  size_t infos[2] = {0, 0};
  for (int64_t i = 0; i < events; i++) {
    // The first `bytes % events` are one byte larger.
    if (i == 0 || i == bytes % events) {
      int64_t size = bytes / events + (i < bytes % events);
      for (size_t k = 0; k < 2; k++) infos[k] = write_info(heaptrack, size, path->trace);
    }
    size_t info = infos[i % 2];
    fprintf(heaptrack->stream, "+ %zx\n", info);
    if (*pending != NOTHING) fprintf(heaptrack->stream, "- %zx\n", *pending);
    *pending = are_gone ? info : NOTHING;
  }
}

static void write_events(struct heaptrack *heaptrack)
{
  size_t pending = NOTHING;
  // Number 0 is never used: the reader takes it for the last one in some places.
  (void)write_info(heaptrack, 0, 1);
  fputs("c 0\n", heaptrack->stream);
  for (size_t i = 0; i < heaptrack->path_count; i++) {
    const struct path *path = &heaptrack->paths[i];
    const int64_t *values = path->row->values;
    write_blocks(heaptrack, path, values[VALUE_TOTAL_COUNT] - values[VALUE_LIVE_COUNT],
                 values[VALUE_TOTAL_BYTES] - values[VALUE_LIVE_BYTES], true, &pending);
  }
  for (size_t i = 0; i < heaptrack->path_count; i++) {
    const struct path *path = &heaptrack->paths[i];
    const int64_t *values = path->row->values;
    write_blocks(heaptrack, path, values[VALUE_LIVE_COUNT], values[VALUE_LIVE_BYTES], false,
                 &pending);
  }
  if (pending != NOTHING) fprintf(heaptrack->stream, "- %zx\n", pending);
  fprintf(heaptrack->stream, "c %" PRIx64 "\n", heaptrack->profile->file->uptime_ms);
}

// ---------------------------------------------------------------------------------------------

static void write_head(const struct heaptrack *heaptrack)
{
  const struct track_file *file = heaptrack->profile->file;
  fputs("v 10400 3\nX", heaptrack->stream);
  for (size_t i = 0; i < file->argument_count; i++) {
    fputc(' ', heaptrack->stream);
    plain_write(heaptrack->stream, file->arguments[i]);
  }
  fputs("\nI 1000 0\n", heaptrack->stream);
}

static void choose_events(struct heaptrack *heaptrack)
{
  int64_t blocks = heaptrack->profile->totals[VALUE_TOTAL_COUNT];
  heaptrack->blocks_an_event = 1;
  if (blocks <= events_most) return;
  heaptrack->blocks_an_event = blocks / events_most + 1;
  complain("each call that heaptrack counts stands for %" PRId64 " calls",
           heaptrack->blocks_an_event);
}

bool profile_write_heaptrack(const struct profile *profile, FILE *stream)
{
  struct heaptrack heaptrack = {.profile = profile, .stream = stream};
  choose_events(&heaptrack);
  write_head(&heaptrack);
  bool is_good = collect_strings(&heaptrack) && write_ips(&heaptrack) &&
                 collect_paths(&heaptrack) && write_traces(&heaptrack);
  if (is_good) write_events(&heaptrack);
  for (size_t i = 0; i < heaptrack.path_count; i++) free(heaptrack.paths[i].frames);
  free(heaptrack.paths);
  string_table_free(&heaptrack.strings);
  free(heaptrack.first_ips);
  if (!is_good) complain("out of memory for heaptrack's traces");
  return is_good;
}
