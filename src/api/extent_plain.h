// SPDX-License-Identifier: MIT
//
// The user may touch the whole block.
#ifndef API_EXTENT_PLAIN_H
#define API_EXTENT_PLAIN_H

#include "base/internal.h"

#define EXTENT_IS_PLAIN 1
#define EXTENT_EXTRA ((size_t)0)  // bytes that a request is made larger by

// The block is the user's from now on.
static inline void extent_open(void *block, size_t size, size_t block_bytes, bool is_zero)
{
  (void)block, (void)size, (void)block_bytes, (void)is_zero;
}

// It no longer is. Returns false if it was not before.
static inline bool extent_close(void *block, size_t block_bytes)
{
  (void)block, (void)block_bytes;
  return true;
}

// The user has a new size at the same place.
static inline void extent_resize(void *block, size_t old_size, size_t size, size_t block_bytes)
{
  (void)block, (void)old_size, (void)size, (void)block_bytes;
}

static inline size_t extent_usable(const void *block, size_t block_bytes)
{
  (void)block;
  return block_bytes;
}

#endif
