// SPDX-License-Identifier: MIT
//
// The user may touch what was asked for and no more. Each block ends in 16 bytes that nobody may
// touch; the last 8 of the block hold the size that was asked for.
#ifndef API_EXTENT_EXACT_H
#define API_EXTENT_EXACT_H

#include "api/extent_absent.h"
#include "base/annotate.h"
#include "base/fatal.h"
#include "base/kind.h"
#include "base/wipe.h"
#include "core/page.h"

#define EXTENT_IS_PLAIN 0
#define EXTENT_FREED SIZE_MAX  // what a block that is free remembers

static inline size_t *extent_word(const void *block, size_t block_bytes)
{
  return (size_t *)(void *)((char *)(uintptr_t)block + block_bytes - sizeof(size_t));
}

ANNOTATE_MAY_TOUCH_FREED
static inline void extent_write(void *block, size_t size, size_t block_bytes)
{
  size_t *word = extent_word(block, block_bytes);
  annotate_touch_begin(word, sizeof *word);
  *word = size;
  annotate_touch_end(word, sizeof *word);
}

ANNOTATE_MAY_TOUCH_FREED
static inline size_t extent_usable(struct page *page, const void *block)
{
  size_t *word = extent_word(block, page->block_bytes);
  annotate_touch_begin(word, sizeof *word);
  size_t size = *word;
  annotate_touch_end(word, sizeof *word);
  return size;
}

static inline size_t extent_usable_of_others(struct page *page, const void *block)
{
  return extent_usable(page, block);
}

static inline size_t extent_extra_bytes(void)
{
  return 16;
}

static inline void extent_open(struct page *page, void *block, size_t size, bool is_zero,
                               enum block_kind kind, size_t alignment)
{
  (void)kind, (void)alignment;
  annotate_allocate(block, size, page->block_bytes, is_zero);
  extent_write(block, size, page->block_bytes);
}

static inline bool extent_is_live(struct page *page, const void *block)
{
  return extent_usable(page, block) != EXTENT_FREED;
}

static inline bool extent_close(struct page *page, void *block, const struct block_claim *claim)
{
  if (!extent_is_live(page, block)) fatal("double free", block);
  if (claim->wipes) wipe_memory(block, extent_usable(page, block));
  annotate_free(block, page->block_bytes);
  extent_write(block, EXTENT_FREED, page->block_bytes);
  return true;
}

static inline void extent_resize(struct page *page, void *block, size_t old_size, size_t size)
{
  annotate_resize(block, old_size, size, page->block_bytes);
  extent_write(block, size, page->block_bytes);
}

#endif
