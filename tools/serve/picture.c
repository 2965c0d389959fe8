// SPDX-License-Identifier: MIT
#include "serve/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "json_head.h"
#include "json_text.h"
#include "remote_json.h"
#include "remote_map.h"

// ---------------------------------------------------------------------------------------------
// A look.

// What is resident in pages that have blocks, and how much of that no live block can have.
static void add_sample(struct picture *picture)
{
  const struct snapshot *snapshot = &picture->snapshot;
  const struct remote_totals *totals = &picture->remote.totals;
  struct picture_sample sample = {
      .time_ms = clock_ns(CLOCK_REALTIME) / NS_A_MS,
      .resident_bytes = remote_resident_bytes(&picture->target),
      .live_bytes = totals->live_bytes,
      .retained_bytes = totals->retained_bytes,
  };
  uint64_t lost = 0;
  for (size_t i = 0; i < snapshot->page_count; i++) {
    const struct page *page = &snapshot->pages[i];
    if (page->kind == KIND_FREE) continue;
    uint64_t used = page->used * page->block_bytes;
    sample.held_bytes += page->resident_bytes;
    if (page->resident_bytes > used) lost += page->resident_bytes - used;
  }
  if (sample.held_bytes > 0) sample.fragmentation = (double)lost / (double)sample.held_bytes;
  picture->samples[++picture->look_count % PICTURE_HISTORY] = sample;
}

static void take_cells(struct picture *picture, struct snapshot *snapshot)
{
  struct axis axis = {0};
  struct cell *cells = NULL;
  if (axis_make(&axis, snapshot, 1, PICTURE_CELLS_MOST)) cells = cells_make(&axis, snapshot);
  if (cells == NULL) {  // then the last ones stay
    axis_free(&axis);
    snapshot_free(snapshot);
    return;
  }
  snapshot_free(&picture->snapshot);
  axis_free(&picture->axis);
  free(picture->cells);
  picture->snapshot = *snapshot;
  picture->axis = axis;
  picture->cells = cells;
  add_sample(picture);
}

void picture_look(struct picture *picture)
{
  struct snapshot snapshot = {0};
  int64_t started = clock_ns(CLOCK_MONOTONIC);
  picture->is_live = picture->is_live && target_is_there(&picture->target);
  if (!picture->is_live) return;
  if (remote_map(&picture->remote, &snapshot)) {
    take_cells(picture, &snapshot);
  } else {
    snapshot_free(&snapshot);
    picture->is_live = false;
  }
  picture->look_ns = (uint64_t)(clock_ns(CLOCK_MONOTONIC) - started);
}

bool picture_open(struct picture *picture, pid_t process)
{
  *picture = (struct picture){.is_live = true};
  if (!target_open_process(&picture->target, process)) return false;
  if (!remote_require(&picture->remote, &picture->target)) return false;
  picture_look(picture);
  return picture->is_live;
}

void picture_close(struct picture *picture)
{
  snapshot_free(&picture->snapshot);
  axis_free(&picture->axis);
  free(picture->cells);
  remote_close(&picture->remote);
  target_close(&picture->target);
}

const struct picture_sample *picture_now(const struct picture *picture)
{
  return &picture->samples[picture->look_count % PICTURE_HISTORY];
}

// ---------------------------------------------------------------------------------------------
// The picture as JSON.

static void write_totals(const struct picture *picture, FILE *stream)
{
  const struct picture_sample *now = picture_now(picture);
  const struct json_number rows[] = {{"resident_bytes", now->resident_bytes},
                                     {"held_bytes", now->held_bytes}};
  fprintf(stream, "\"totals\":{\"fragmentation\":%.6f", now->fragmentation);
  json_write_numbers(stream, rows, sizeof rows / sizeof rows[0]);
  remote_json_totals(stream, &picture->remote);
  fputc('}', stream);
}

// One array for each column, so that the page can hand them to the charts.
static void write_samples(const struct picture *picture, uint64_t since, FILE *stream)
{
  static const char *const names[] = {"time_ms",    "resident_bytes", "live_bytes",
                                      "held_bytes", "retained_bytes", "fragmentation"};
  uint64_t last = picture->look_count;
  uint64_t first = last < PICTURE_HISTORY ? 1 : last - PICTURE_HISTORY + 1;
  if (since >= first) first = since < last ? since + 1 : last + 1;
  fprintf(stream, "\"samples\":{\"last\":%" PRIu64, last);
  for (size_t column = 0; column < sizeof names / sizeof names[0]; column++) {
    fprintf(stream, ",\"%s\":[", names[column]);
    for (uint64_t number = first; number <= last; number++) {
      const struct picture_sample *sample = &picture->samples[number % PICTURE_HISTORY];
      const uint64_t values[] = {(uint64_t)sample->time_ms, sample->resident_bytes,
                                 sample->live_bytes, sample->held_bytes, sample->retained_bytes};
      if (number > first) fputc(',', stream);
      if (column < sizeof values / sizeof values[0]) {
        fprintf(stream, "%" PRIu64, values[column]);
      } else {
        fprintf(stream, "%.6f", sample->fragmentation);
      }
    }
    fputc(']', stream);
  }
  fputc('}', stream);
}

// [block_bytes, pages, page_bytes, live, kept, free] each.
static void write_classes(const struct picture *picture, FILE *stream)
{
  const char *before = "";
  fputs("\"classes\":[", stream);
  for (size_t i = 0; i < REMOTE_CLASSES_MOST; i++) {
    const struct remote_class *row = &picture->remote.classes[i];
    if (row->block_bytes == 0) continue;
    fprintf(stream, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]",
            before, row->block_bytes, row->page_count, row->page_bytes, row->live_count,
            row->kept_count, row->free_count);
    before = ",";
  }
  fputs("]", stream);
}

// The cells: a digit each for the look; the bytes in use; and [cell, pins] of those with pins.
static void write_cells(const struct picture *picture, FILE *stream)
{
  const struct axis *axis = &picture->axis;
  const char *before = "";
  fputs("\"looks\":\"", stream);
  for (size_t i = 0; i < axis->cell_count; i++) {
    fputc('0' + (int)cell_look(&picture->cells[i]), stream);
  }
  fputs("\",\"used\":[", stream);
  for (size_t i = 0; i < axis->cell_count; i++) {
    fprintf(stream, "%s%.0f", i > 0 ? "," : "", picture->cells[i].used);
  }
  fputs("],\"pins\":[", stream);
  for (size_t i = 0; i < axis->cell_count; i++) {
    if (picture->cells[i].pins == 0) continue;
    fprintf(stream, "%s[%zu,%" PRIu64 "]", before, i, picture->cells[i].pins);
    before = ",";
  }
  fputs("]", stream);
}

static void write_map(const struct picture *picture, FILE *stream)
{
  const struct axis *axis = &picture->axis;
  double bytes[LOOK_COUNT] = {0};
  for (size_t i = 0; i < axis->cell_count; i++) {
    for (size_t look = 0; look < LOOK_COUNT; look++) {
      bytes[look] += picture->cells[i].bytes[look];
    }
  }
  fprintf(stream, "\"map\":{\"bytes\":%" PRIu64 ",\"cell_bytes\":%" PRIu64 ",\"pages\":%zu,",
          axis->bytes, axis->cell_bytes, picture->snapshot.page_count);
  fputs("\"stretches\":[", stream);
  for (size_t i = 0; i < axis->stretch_count; i++) {
    const struct stretch *stretch = &axis->stretches[i];
    fprintf(stream, "%s[\"0x%" PRIx64 "\",%" PRIu64 "]", i > 0 ? "," : "", stretch->start,
            stretch->bytes);
  }
  fputs("],\"bytes_by_look\":[", stream);
  for (size_t look = 0; look < LOOK_COUNT; look++) {
    fprintf(stream, "%s%.0f", look > 0 ? "," : "", bytes[look]);
  }
  fputs("],", stream);
  write_cells(picture, stream);
  fputc('}', stream);
}

void picture_write(const struct picture *picture, uint64_t since, FILE *stream)
{
  int64_t taken_ms = picture_now(picture)->time_ms;
  int64_t age_ms = clock_ns(CLOCK_REALTIME) / NS_A_MS - taken_ms;
  json_head_begin(stream, "serve");
  fputc(',', stream);
  json_head_process(stream, (uint64_t)picture->target.process, picture->target.program,
                    taken_ms * NS_A_MS);
  fprintf(stream, ",\"is_live\":%s,\"age_ms\":%" PRId64 ",\"look_ms\":%.1f,",
          picture->is_live ? "true" : "false", age_ms, (double)picture->look_ns / 1e6);
  write_totals(picture, stream);
  fputc(',', stream);
  write_samples(picture, since, stream);
  fputc(',', stream);
  write_classes(picture, stream);
  fputc(',', stream);
  write_map(picture, stream);
  fputs("}\n", stream);
}
