// SPDX-License-Identifier: MIT
//
// The sizes that the core is built around, and a second set of tiny ones: in the stress build every
// page holds a handful of blocks and every cache an entry or two, so that slow paths always run.
// The hardened build has long pages, so that there are many places for a block to be.
#ifndef CORE_TUNING_H
#define CORE_TUNING_H

#include "base/internal.h"

#define SLICE_SHIFT 16
#define SLICE_BYTES ((size_t)1 << SLICE_SHIFT)

enum {
#ifdef MEND_STRESS
  TUNING_PAGE_BLOCKS = 5,           // blocks in a page, at most
  TUNING_OUTGOING_SLOTS = 2,        // pages for which frees are gathered at a time; a power of two
  TUNING_POSTS_BEFORE_RECLAIM = 2,  // unused pages that may wait for their owner
  TUNING_BIN_BYTES = 256,           // a bin has room for this much,
  TUNING_BIN_LEAST = 2,             // but at least this many blocks
  TUNING_BIN_MOST = 4,              // and at most this many
  TUNING_SHELF_BYTES = 16 << 10,    // the same of a shelf,
  TUNING_SHELF_BLOCKS = 2,          // but at most this many
  TUNING_SLOW_CALLS_PER_TICK = 2,   // slow paths between two looks at the clock
  TUNING_COMMIT_LEAST = 1 << 16,    // first step of address space made writable
#else
  TUNING_PAGE_BLOCKS = 4096,
  TUNING_OUTGOING_SLOTS = 16,
  TUNING_POSTS_BEFORE_RECLAIM = 16,
  TUNING_BIN_BYTES = 32 << 10,
  TUNING_BIN_LEAST = 8,
  TUNING_BIN_MOST = 256,
  TUNING_SHELF_BYTES = 256 << 10,
  TUNING_SHELF_BLOCKS = 16,
  TUNING_SLOW_CALLS_PER_TICK = 64,
  TUNING_COMMIT_LEAST = 1 << 20,
#endif
#ifdef MEND_HARDENED
  TUNING_SCATTERS = 1,  // ranges lie at random, large tables between guards
#else
  TUNING_SCATTERS = 0,
#endif
  TUNING_COMMIT_MOST = 32 << 20,  // and the largest step
  TUNING_GROWTH_LEAST = 4 << 20,  // and growth that free memory inside of pages is purged for
#ifdef MEND_HARDENED
  TUNING_HAS_LISTS = 0,       // small blocks are linked through themselves while they are free
  TUNING_SMALL_BLOCKS = 272,  // a page of small blocks has room for at least so many,
  TUNING_MEDIUM_BLOCKS = 16,  // one of medium blocks for so many
  TUNING_PAGE_SLICES = 32,    // the most slices that such a page has
#else
  TUNING_HAS_LISTS = 1,
  TUNING_SMALL_BLOCKS = 2,
  TUNING_MEDIUM_BLOCKS = 2,
  TUNING_PAGE_SLICES = 2,
#endif
  TUNING_POST_PATIENCE = 1000,  // looks for a post that is on its way
  TUNING_PURGE_PATIENCE = 16,   // waits for the purges of others before there is no memory
  TUNING_OWNERS_PER_TICK = 4,   // heaps of which a tick asks whether their threads are there
  TUNING_HEAPS_PER_LOOK = 64,   // heaps passed to find one of another thread
  TUNING_FULLEST_OF = 4,        // queued pages that are compared when blocks are needed
  TUNING_WAKE_SHARE = 64,       // a full page is used again when 1/64 of its blocks are free
};

// Blocks of at least this size ask for huge pages and are moved by the kernel rather than copied.
#define TUNING_HUGE_BYTES ((size_t)4 << 20)
#define TUNING_MOVE_BYTES ((size_t)256 << 10)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

#endif
