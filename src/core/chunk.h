// SPDX-License-Identifier: MIT
//
// The region's slices: the source that every page comes from in the end.
//
// A run of slices that is given back is *dirty* while it may hold memory and *clean* when the
// kernel has that back. Dirty runs are handed out first. They are kept no longer than the purge
// delay, and only so far as they do not make the process larger than it was: what is in use and
// what is dirty together stay below the most that was in use (of late) and a small share of that.
// So when clean memory has to be taken although dirty runs lie about, those filed first go back
// first. A program whose use goes up and down pays for memory once; one that grows never grows for
// the sake of what it keeps. Where there is no free run, frontier.h makes fresh slices accessible.
//
// One lock guards it all, runs.c and frontier.c included; system calls that return memory are made
// outside it, but for the rests of large blocks, whose length must not change meanwhile, and what
// mapping_cut_off renews.
#ifndef CORE_CHUNK_H
#define CORE_CHUNK_H

#include "core/source.h"

struct chunk_statistics {
  size_t used_bytes;       // in runs that are handed out
  size_t dirty_bytes;      // in free runs that may hold memory
  size_t committed_bytes;  // accessible
  size_t reached_bytes;    // from the region's start to where nothing has been handed out yet
  size_t table_bytes;      // accessible of the page table
  size_t mapping_count;    // mappings caused by huge pages and moves
};

// What begins at a slice, if that is no page of small or medium blocks.
struct chunk_place {
  enum page_kind kind;  // PAGE_LARGE, PAGE_FREE: a free run; else nothing that is told here
  uint32_t slices;
  size_t held_bytes;    // LARGE: what the block holds; FREE: how much may hold memory
  uint32_t lead_bytes;  // LARGE: what lies before the block (hardened: a guard)
};

// The region as a source.
INTERNAL_DATA const struct page_source chunk_source;

// Finds the region. False if there is no address space at all.
INTERNAL bool chunk_init(void);
// Returns dirty runs to the kernel, in their order (runs.h): all but `keep` bytes. Says how many
// went.
INTERNAL size_t chunk_purge(size_t keep);
// Returns what large blocks hold behind their ends, in slices that were dirty when they got them.
INTERNAL size_t chunk_purge_rests(void);
// Sets how much a large block holds. What is behind it may be returned at any time.
INTERNAL void chunk_set_block_bytes(struct page *page, size_t bytes);
// What is behind a large block, and what it holds, has been returned.
INTERNAL void chunk_set_untouched(struct page *page);
// Lets the remembered peak fade by a quarter of the way to what is in use, and returns the dirty
// runs that have been free for longer than the purge delay.
INTERNAL void chunk_tick(uint32_t now_ms);
// Memory that others hold outside of the region counts towards the limit: claims room for so many
// bytes, if the limit leaves it, and gives it up again. Any thread; the second also where the lock
// is held.
INTERNAL bool chunk_claim_bytes(size_t bytes);
INTERNAL void chunk_release_bytes(size_t bytes);
INTERNAL struct chunk_statistics chunk_statistics(void);
// A look at one slice that has a descriptor.
INTERNAL struct chunk_place chunk_look_at(struct page *slice);
// The most that was in use of late.
INTERNAL size_t chunk_peak_bytes(void);
INTERNAL void chunk_assert_valid(void);

// In the child of a fork: if another thread held the lock, makes sense of what it has left.
INTERNAL void chunk_after_fork(void);
// Whether the calling thread holds the lock, below a signal handler that has interrupted it.
INTERNAL bool chunk_lock_is_mine(void);

#endif
