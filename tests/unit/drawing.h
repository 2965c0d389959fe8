// SPDX-License-Identifier: MIT
//
// Free runs over a page table of the test's own, and drawings of them. The region has addresses but
// no memory. A letter is a slice, d of a dirty run and c of a clean one, in capitals where the run
// begins, and a dot where a slice is not free: "Ddd.CcD".
#ifndef TESTS_UNIT_DRAWING_H
#define TESTS_UNIT_DRAWING_H

#include <string.h>

#include "../support/suite.h"
#include "core/mapping.h"
#include "core/runs.h"

enum { SLICES = 2000 };

struct region region;

// One more at both ends: what looks beyond them finds a free run.
static struct page table[1 + SLICES + 1];

// In place of mapping.c: a run that is split is renewed when it is cut off, if the test says so.
static bool cuts_renew;

void mapping_cut_off(struct page *run)
{
  if ((run->flags & PAGE_IS_SPLIT) == 0 || !cuts_renew) return;
  run->flags = (uint8_t)((run->flags & ~PAGE_IS_SPLIT) | PAGE_IS_ZERO);
}

void mapping_join(struct page *left, struct page *right)
{
  left->flags |= right->flags & PAGE_IS_SPLIT;
}

void mapping_assert_valid(const struct page *run)
{
  (void)run;
}

static inline void be_bait(struct page *page)
{
  page->slices = 1;
  page_set_kind(page, PAGE_FREE);
}

// A region of this many slices, none of which is free. The first one is the fourth from a multiple
// of 64.
static inline void start(size_t slices)
{
  memset(table, 0, sizeof table);
  region.pages = table + 1;
  region.start = ((uintptr_t)64 << 30) + 3 * SLICE_BYTES;
  cuts_renew = false;
  be_bait(&table[0]);
  be_bait(&table[1 + slices]);
  runs_init();
  runs_set_frontier(slices);
}

static inline struct page *slice(size_t index)
{
  return &region.pages[index];
}

// Frees slices. All that a dirty run has may hold memory; the time is told by its place.
static inline void put(size_t first, size_t slices, bool is_dirty)
{
  struct page *run = slice(first);
  run->slices = (uint32_t)slices;
  run->flags = is_dirty ? 0 : PAGE_IS_ZERO;
  run->block_bytes = is_dirty ? slices * SLICE_BYTES : 0;
  run->freed_at_ms = (uint32_t)first;
  runs_free(run);
}

// ---------------------------------------------------------------------------------------------
// Drawings.

static inline void lay(const char *drawing)
{
  size_t slices = strlen(drawing);
  start(slices);
  for (size_t i = 0; i < slices;) {
    size_t end = i + 1;
    while (drawing[end] == 'd' || drawing[end] == 'c') end++;
    if (drawing[i] != '.') put(i, end - i, drawing[i] == 'D');
    i = drawing[i] == '.' ? i + 1 : end;
  }
}

static inline size_t draw_run(char *drawing, size_t first)
{
  struct page *run = slice(first);
  size_t last = first + run->slices - 1;
  bool is_dirty = run_is_dirty(run);
  CHECK(run->slices >= 1 && last < runs_frontier());
  CHECK(page_kind(slice(last)) == PAGE_FREE && slice(last)->slices == run->slices);
  for (size_t i = first + 1; i < last; i++) CHECK(page_kind(slice(i)) == PAGE_NONE);
  CHECK(is_dirty || run->block_bytes == 0);
  memset(drawing + first, is_dirty ? 'd' : 'c', run->slices);
  drawing[first] = is_dirty ? 'D' : 'C';
  return run->slices;
}

// What the descriptors say, which agrees with what runs.c counts.
static inline const char *drawn(void)
{
  static char drawing[SLICES + 1];
  size_t free_slices = 0, dirty_bytes = 0;
  for (size_t i = 0; i < runs_frontier();) {
    bool is_free = page_kind(slice(i)) == PAGE_FREE;
    size_t slices = is_free ? draw_run(drawing, i) : 1;
    free_slices += is_free ? slices : 0;
    dirty_bytes += is_free && run_is_dirty(slice(i)) ? slice(i)->block_bytes : 0;
    if (!is_free) drawing[i] = '.';
    i += slices;
  }
  drawing[runs_frontier()] = '\0';
  CHECK(runs_assert_valid() == free_slices && runs_dirty_bytes() == dirty_bytes);
  return drawing;
}

#endif
