// SPDX-License-Identifier: MIT
//
// Tells the tracker (track/tracker.h) which blocks are handed out and come back: some, or all of
// them (core/sampling.h). Only the slow paths ask.
#ifndef API_TRACKING_H
#define API_TRACKING_H

#include "base/kind.h"
#include "core/page.h"
#include "core/sampling.h"

static inline bool tracking_is_on(void)
{
  return sampling_mode() != SAMPLING_OFF;
}

// A block was taken for a request of `size` bytes. Returns the block to hand out: that one, or, if
// it is to be a sample, perhaps one in its place.
INTERNAL NOINLINE void *tracking_allocated(void *block, size_t size, enum block_kind kind);
// A block of a page that may have records is about to be freed. False if it is to be left alone,
// because it was not in use. What is wrong with the free is told, with both stacks in exact mode.
INTERNAL NOINLINE bool tracking_freed(struct page *page, void *block,
                                      const struct block_claim *claim);
// Tells of a pointer that is no block's, with what is known of the block that is or was there, and
// ends the process, as the option on_misuse says. False if nothing is known.
INTERNAL NOINLINE bool tracking_misuse(const char *what, const void *pointer);
// large_move of the block, and of what is known of it.
INTERNAL NOINLINE void *tracking_move(struct page *page, void *block, size_t size);
// The blocks of a first-class heap are about to be freed, all at once.
INTERNAL void tracking_forget_heap(struct heap *heap);
// In whose place a sample was handed out: the sample if `block` is such a twin, else the block.
INTERNAL void *tracking_visible(struct page *page, void *block);

// What mend_profile_start and mend_profile_stop do (mend/track.h).
INTERNAL bool tracking_start(size_t interval_bytes);
INTERNAL void tracking_stop(void);
INTERNAL void tracking_register_forks(void);

#endif
