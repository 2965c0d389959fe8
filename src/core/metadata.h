// SPDX-License-Identifier: MIT
//
// Memory for the allocator's own structures, in a range apart from all user blocks. Pieces are
// powers of two; a piece that is given back serves the next request of its size. Memory for
// metadata is never returned to the kernel, and never becomes anything else.
#ifndef CORE_METADATA_H
#define CORE_METADATA_H

#include "os/thread.h"

// Zeroed memory, aligned to its size up to 4096; NULL if there is none. Any thread.
INTERNAL void *metadata_allocate(size_t bytes);
INTERNAL void metadata_free(void *piece, size_t bytes);
// Whether there may be a piece of this size at an address, which can be read then. Where others'
// mappings lie in the extent it cannot tell, and says no.
INTERNAL bool metadata_may_hold(const void *address, size_t bytes);
// How much is accessible.
INTERNAL size_t metadata_bytes(void);

// Where it is, for those who read the heap from outside.
struct metadata_extent {
  char *start;
  _Atomic(size_t) bytes;          // only grows, under the lock; others' mappings may lie in between
  _Atomic(size_t) skipped_bytes;  // how much of it those take
};
INTERNAL_DATA struct metadata_extent metadata_extent;

// Whether the calling thread holds the lock, below a signal handler that has interrupted it.
INTERNAL bool metadata_lock_is_mine(void);
// In the child of a fork: if another thread held the lock, starts anew behind what there is.
INTERNAL void metadata_after_fork(void);

#endif
