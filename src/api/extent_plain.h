// SPDX-License-Identifier: MIT
//
// The user may touch the whole block.
#ifndef API_EXTENT_PLAIN_H
#define API_EXTENT_PLAIN_H

#include "api/extent_absent.h"
#include "base/kind.h"
#include "base/wipe.h"
#include "core/page.h"

#define EXTENT_IS_PLAIN 1

// How many bytes a request is made larger by.
static inline size_t extent_extra_bytes(void)
{
  return 0;
}

// The block is the user's from now on; what it was asked for by, and with what alignment.
static inline void extent_open(struct page *page, void *block, size_t size, bool is_zero,
                               enum block_kind kind, size_t alignment)
{
  (void)page, (void)block, (void)size, (void)is_zero, (void)kind, (void)alignment;
}

// Whether it is the user's, for all that is known.
static inline bool extent_is_live(struct page *page, const void *block)
{
  (void)page, (void)block;
  return true;
}

// It no longer is; it is zeroed if so claimed. Returns false if it is to be left alone: it was not
// the user's before.
static inline bool extent_close(struct page *page, void *block, const struct block_claim *claim)
{
  if (UNLIKELY(claim->wipes)) wipe_memory(block, page->block_bytes);
  return true;
}

// The user has a new size at the same place.
static inline void extent_resize(struct page *page, void *block, size_t old_size, size_t size)
{
  (void)page, (void)block, (void)old_size, (void)size;
}

static inline size_t extent_usable(struct page *page, const void *block)
{
  (void)block;
  return page->block_bytes;
}

// extent_usable of a block that another thread may be about to get, or to free: nothing but its
// size is looked at.
static inline size_t extent_usable_of_others(struct page *page, const void *block)
{
  return extent_usable(page, block);
}

#endif
