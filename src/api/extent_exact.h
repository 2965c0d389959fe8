// SPDX-License-Identifier: MIT
//
// The user may touch what was asked for and no more. Each block ends in 16 bytes that nobody may
// touch; the last 8 of the block hold the size that was asked for.
#ifndef API_EXTENT_EXACT_H
#define API_EXTENT_EXACT_H

#include "base/annotate.h"

#define EXTENT_IS_PLAIN 0
#define EXTENT_EXTRA ((size_t)16)
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
static inline size_t extent_usable(const void *block, size_t block_bytes)
{
  size_t *word = extent_word(block, block_bytes);
  annotate_touch_begin(word, sizeof *word);
  size_t size = *word;
  annotate_touch_end(word, sizeof *word);
  return size;
}

static inline void extent_open(void *block, size_t size, size_t block_bytes, bool is_zero)
{
  annotate_allocate(block, size, block_bytes, is_zero);
  extent_write(block, size, block_bytes);
}

// Returns false if it was not the user's: it has been freed before.
static inline bool extent_close(void *block, size_t block_bytes)
{
  if (extent_usable(block, block_bytes) == EXTENT_FREED) return false;
  annotate_free(block, block_bytes);
  extent_write(block, EXTENT_FREED, block_bytes);
  return true;
}

static inline void extent_resize(void *block, size_t old_size, size_t size, size_t block_bytes)
{
  annotate_resize(block, old_size, size, block_bytes);
  extent_write(block, size, block_bytes);
}

#endif
