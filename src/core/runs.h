// SPDX-License-Identifier: MIT
//
// Runs of free slices: filed by length, cut, and merged with their neighbours.
//
// A run is *dirty* while it may hold memory and *clean* when the kernel has that back
// (PAGE_IS_ZERO). Neighbours of the same kind are merged. Runs of a length are found through
// rows: exact up to 32 slices, four to a doubling above.
//
// A free run is described by its first and its last descriptor (kind PAGE_FREE, `slices` its length
// in both), so that a neighbour finds it from either side; those in between are PAGE_NONE. A run
// that was taken is described by its first: slices, flags, and `block_bytes`, which says how much
// memory it may hold.
//
// All of this is called under the chunk lock.
#ifndef CORE_RUNS_H
#define CORE_RUNS_H

#include "core/page.h"

// Forgets all.
INTERNAL void runs_init(void);

// Slices below the frontier have been handed out, or filed, at least once.
INTERNAL size_t runs_frontier(void);
INTERNAL void runs_set_frontier(size_t slices);

// The start of the clean run that ends at the frontier; if there is none, the frontier itself.
INTERNAL struct page *runs_tail(void);

static inline bool run_is_dirty(const struct page *run)
{
  return (run->flags & PAGE_IS_ZERO) == 0;
}

// Whether a run has been free for as long as the delay; one that was freed after `now` has not.
static inline bool run_has_expired(const struct page *run, uint32_t now_ms, size_t delay_ms)
{
  uint32_t age_ms = now_ms - run->freed_at_ms;
  return age_ms >= delay_ms && age_ms <= UINT32_MAX / 2;
}

// How many slices from this one on are to be skipped until one is aligned.
INTERNAL uint32_t run_skip(const struct page *slice, uint32_t alignment);

// Files a run, merged with its neighbours.
INTERNAL void runs_free(struct page *run);
// Takes the first run of this length and alignment out of the free run that starts at a slice; NULL
// if none does in which it fits.
INTERNAL struct page *runs_take_at(struct page *slice, uint32_t slices, uint32_t alignment);
// Takes a run of this length that starts at a multiple of the alignment; NULL if there is none.
INTERNAL struct page *runs_take(bool is_dirty, uint32_t slices, uint32_t alignment);
// The same out of neighbours, dirty and clean ones, at least one of them dirty.
INTERNAL struct page *runs_take_mixed(uint32_t slices, uint32_t alignment);

// Dirty runs have an order: those that have expired first, then as they were filed. (Not by age: a
// part of an old run that was cut is filed anew, and a merged run has the age of its longer part.)
// Puts those that have expired by now in front.
INTERNAL void runs_expire(uint32_t now_ms, size_t delay_ms);
// The first in that order; NULL if there is none. And taking it out.
INTERNAL struct page *runs_first(void);
INTERNAL struct page *runs_take_first(void);
// How much memory the dirty runs may hold.
INTERNAL size_t runs_dirty_bytes(void);

// For the child of a fork, after runs_init: files the free run that starts at a slice, if one does
// that is whole. Returns its length, or 0.
INTERNAL uint32_t runs_refile(struct page *slice);

// Says how many slices are free.
INTERNAL size_t runs_assert_valid(void);

#endif
