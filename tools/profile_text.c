// SPDX-License-Identifier: MIT
//
// A profile as lines of text: collapsed stacks, and gperftools' heap_v2.
#include "plain.h"
#include "profile_formats.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---------------------------------------------------------------------------------------------
// Collapsed stacks.

static void write_collapsed_name(const struct profile_frame *frame, FILE *stream)
{
  char text[SYMBOL_TEXT_MOST];
  symbols_name(text, frame->symbol, frame->index);
  for (char *at = text; *at != '\0'; at++) {
    if (*at == ';') *at = ':';
  }
  fputs(text, stream);
}

bool profile_write_collapsed(const struct profile *profile, FILE *stream)
{
  enum profile_value value = profile_bytes_value(profile->by);
  for (size_t i = 0; i < profile->row_count; i++) {
    const struct profile_row *row = &profile->rows[i];
    if (row->values[value] <= 0) continue;
    size_t count;
    struct profile_frame *frames = profile_frames(row, &count);
    if (frames == NULL) return false;
    if (count == 0) fputs(PROFILE_UNKNOWN, stream);
    for (size_t k = count; k > 0; k--) {
      write_collapsed_name(&frames[k - 1], stream);
      if (k > 1) fputc(';', stream);
    }
    fprintf(stream, " %" PRId64 "\n", row->values[value]);
    free(frames);
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// heap_v2.

struct scaled {
  int64_t count, bytes;
};

// How many of the blocks a reader believes to be sampled. It knows their mean size, and with it how
// likely a sample was; it divides by that.
static double sampled_count(int64_t count, int64_t bytes, uint64_t interval)
{
  if (count <= 0 || bytes <= 0) return 0;
  return (double)count * -expm1(-((double)bytes / (double)count) / (double)interval);
}

// The figures from which a reader makes the estimates.
static struct scaled unscale(int64_t count, int64_t bytes, uint64_t interval)
{
  struct scaled scaled = {count, bytes};
  if (interval <= 1 || count <= 0 || bytes <= 0) return scaled;
  double size = (double)bytes / (double)count;
  scaled.count = (int64_t)fmax(1, round(sampled_count(count, bytes, interval)));
  scaled.bytes = (int64_t)round((double)scaled.count * size);
  return scaled;
}

static bool can_be_sampled(int64_t count, int64_t bytes, uint64_t interval)
{
  return count <= 0 || bytes <= 0 || sampled_count(count, bytes, interval) > 0.5;
}

// The interval that readers are told of: the true one. But estimates that it can't explain, since
// they are from another or from no sampling, are passed on as they are, with 1.
static uint64_t choose_interval(const struct profile *profile)
{
  uint64_t interval = profile->file->interval;
  for (size_t i = 0; i < profile->row_count && interval > 1; i++) {
    const int64_t *values = profile->rows[i].values;
    if (!can_be_sampled(values[VALUE_LIVE_COUNT], values[VALUE_LIVE_BYTES], interval) ||
        !can_be_sampled(values[VALUE_TOTAL_COUNT], values[VALUE_TOTAL_BYTES], interval)) {
      interval = 1;
    }
  }
  return interval > 0 ? interval : 1;
}

static void write_figures(const struct scaled *live, const struct scaled *total, FILE *stream)
{
  fprintf(stream, "%6" PRId64 ": %8" PRId64 " [%6" PRId64 ": %8" PRId64 "] @", live->count,
          live->bytes, total->count, total->bytes);
}

static void unscale_row(const struct profile_row *row, uint64_t interval, struct scaled *live,
                        struct scaled *total)
{
  const int64_t *values = row->values;
  *live = unscale(values[VALUE_LIVE_COUNT], values[VALUE_LIVE_BYTES], interval);
  *total = unscale(values[VALUE_TOTAL_COUNT], values[VALUE_TOTAL_BYTES], interval);
}

// As the kernel writes it, which is what readers look for.
static void write_maps(const struct track_file *file, FILE *stream)
{
  fputs("\nMAPPED_LIBRARIES:\n", stream);
  for (size_t i = 0; i < file->map_count; i++) {
    const struct track_map *map = &file->maps[i];
    fprintf(stream, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " 00:00 %" PRIu64 " ", map->start,
            map->end, map->is_executable ? "r-xp" : "r--p", map->offset, map->inode);
    plain_write(stream, map->path);
    fputc('\n', stream);
  }
}

static bool has_figures(const struct scaled *live, const struct scaled *total)
{
  return live->count >= 0 && live->bytes >= 0 && total->count >= 0 && total->bytes >= 0 &&
         (live->count > 0) + (total->count > 0) > 0;
}

bool profile_write_heap(const struct profile *profile, FILE *stream)
{
  struct scaled live, total, live_sum = {0, 0}, total_sum = {0, 0};
  uint64_t interval = choose_interval(profile);
  for (size_t i = 0; i < profile->row_count; i++) {
    unscale_row(&profile->rows[i], interval, &live, &total);
    if (!has_figures(&live, &total)) continue;
    live_sum.count = profile_add(live_sum.count, live.count);
    live_sum.bytes = profile_add(live_sum.bytes, live.bytes);
    total_sum.count = profile_add(total_sum.count, total.count);
    total_sum.bytes = profile_add(total_sum.bytes, total.bytes);
  }
  fputs("heap profile: ", stream);
  write_figures(&live_sum, &total_sum, stream);
  fprintf(stream, " heap_v2/%" PRIu64 "\n", interval);
  for (size_t i = 0; i < profile->row_count; i++) {
    const struct profile_row *row = &profile->rows[i];
    unscale_row(row, interval, &live, &total);
    if (!has_figures(&live, &total)) continue;
    write_figures(&live, &total, stream);
    for (size_t k = 0; k < row->depth; k++) {
      fprintf(stream, " 0x%" PRIx64, row->stack[k]->address);
    }
    if (row->depth == 0) fputs(" 0x0", stream);
    fputc('\n', stream);
  }
  write_maps(profile->file, stream);
  return true;
}
