// SPDX-License-Identifier: MIT
#include "cells.h"

#include <stdlib.h>

#include "command.h"

#define SLICE_BYTES ((uint64_t)65536)

// Whether the page begins in the stretch or at its end: then the stretch reaches to the page's end.
static bool join_stretch(struct stretch *last, const struct page *page)
{
  uint64_t ahead = page->start - last->start;
  if (ahead > last->bytes) return false;
  uint64_t behind = last->bytes - ahead;  // of the stretch, from the page's start on
  if (page->bytes > behind) last->bytes += page->bytes - behind;
  return true;
}

static void add_stretch(struct axis *axis, const struct page *page)
{
  size_t count = axis->stretch_count;
  if (count > 0 && join_stretch(&axis->stretches[count - 1], page)) return;
  axis->stretches[axis->stretch_count++] = (struct stretch){page->start, page->bytes, 0};
}

// Merges the pages of up to two snapshots, each of which is ordered.
static void add_pages(struct axis *axis, const struct snapshot *snapshots, size_t count)
{
  size_t at[2] = {0, 0};
  for (;;) {
    const struct page *next = NULL;
    size_t whose = 0;
    for (size_t i = 0; i < count; i++) {
      if (at[i] == snapshots[i].page_count) continue;
      const struct page *page = &snapshots[i].pages[at[i]];
      if (next != NULL && page->start >= next->start) continue;
      next = page;
      whose = i;
    }
    if (next == NULL) return;
    add_stretch(axis, next);
    at[whose]++;
  }
}

bool axis_make(struct axis *axis, const struct snapshot *snapshots, size_t count, size_t cells_most)
{
  size_t pages = 1;
  for (size_t i = 0; i < count; i++) pages += snapshots[i].page_count;
  *axis = (struct axis){.stretches = calloc(pages, sizeof *axis->stretches)};
  if (axis->stretches == NULL) {
    complain("out of memory");
    return false;
  }
  add_pages(axis, snapshots, count);
  for (size_t i = 0; i < axis->stretch_count; i++) {
    axis->stretches[i].offset = axis->bytes;
    axis->bytes += axis->stretches[i].bytes;
  }
  axis->cell_bytes = SLICE_BYTES;
  while (axis->bytes / axis->cell_bytes >= cells_most) axis->cell_bytes *= 2;
  axis->cell_count = (size_t)(axis->bytes / axis->cell_bytes);
  if (axis->bytes % axis->cell_bytes != 0) axis->cell_count++;
  return true;
}

void axis_free(struct axis *axis)
{
  free(axis->stretches);
}

// ---------------------------------------------------------------------------------------------

static enum look page_look(const struct page *page)
{
  if (page->kind == KIND_FREE) return page->resident_bytes > 0 ? LOOK_CACHED : LOOK_RETURNED;
  if (page->kind == KIND_LARGE) return LOOK_LARGE;
  return page_has_objects(page) ? LOOK_OBJECTS : LOOK_BLOCKS;
}

// Adds a page that begins at an offset to the cells that it touches.
static void add_page(struct cell *cells, const struct axis *axis, const struct page *page,
                     uint64_t offset)
{
  enum look look = page_look(page);
  double used = (double)page->used * (double)page->block_bytes / (double)page->bytes;
  cells[offset / axis->cell_bytes].pins += page->pins;
  for (uint64_t done = 0; done < page->bytes;) {
    uint64_t at = offset + done;
    uint64_t part = axis->cell_bytes - at % axis->cell_bytes;
    if (part > page->bytes - done) part = page->bytes - done;
    struct cell *cell = &cells[at / axis->cell_bytes];
    cell->bytes[look] += (double)part;
    cell->used += used * (double)part;
    done += part;
  }
}

struct cell *cells_make(const struct axis *axis, const struct snapshot *snapshot)
{
  struct cell *cells = calloc(axis->cell_count + 1, sizeof *cells);
  if (cells == NULL) {
    complain("out of memory");
    return NULL;
  }
  size_t at = 0;
  for (size_t i = 0; i < snapshot->page_count; i++) {
    const struct page *page = &snapshot->pages[i];
    while (page->start - axis->stretches[at].start >= axis->stretches[at].bytes) at++;
    const struct stretch *stretch = &axis->stretches[at];
    add_page(cells, axis, page, stretch->offset + (page->start - stretch->start));
  }
  return cells;
}

enum look cell_look(const struct cell *cell)
{
  enum look most = LOOK_LARGE;
  for (enum look look = LOOK_BLOCKS; look < LOOK_LARGE; look++) {
    if (cell->bytes[look] > cell->bytes[most]) most = look;
  }
  if (cell->bytes[most] > 0) return most;
  if (cell->bytes[LOOK_CACHED] > 0) return LOOK_CACHED;
  return cell->bytes[LOOK_RETURNED] > 0 ? LOOK_RETURNED : LOOK_NOTHING;
}

double cell_occupancy(const struct cell *cell, const struct axis *axis)
{
  double share = cell->used / (double)axis->cell_bytes;
  return share < 1 ? share : 1;
}
