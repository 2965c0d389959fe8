// SPDX-License-Identifier: MIT
//
// The user may touch the whole block.
#ifndef API_EXTENT_PLAIN_H
#define API_EXTENT_PLAIN_H

#include "base/fatal.h"
#include "base/kind.h"
#include "core/page.h"

#define EXTENT_IS_PLAIN 1

// How many bytes a request is made larger by.
static inline size_t extent_extra_bytes(void)
{
  return 0;
}

// Whether every block reads as zero when it is handed out.
static inline bool extent_is_zeroed(void)
{
  return false;
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

// It no longer is. Returns false if it is to be left alone: it was not the user's before.
static inline bool extent_close(struct page *page, void *block, const struct block_claim *claim)
{
  (void)page, (void)block, (void)claim;
  return true;
}

// Where blocks of no bytes come from; NULL: where all do.
static inline struct heap *extent_heap_of_nothing(void)
{
  return NULL;
}

// Whether a block of the page may hold more or less than it does.
static inline bool extent_may_resize(const struct page *page)
{
  (void)page;
  return true;
}

// The user has a new size at the same place.
static inline void extent_resize(struct page *page, void *block, size_t old_size, size_t size)
{
  (void)page, (void)block, (void)old_size, (void)size;
}

// What was behind the end of a block that has grown is the user's now.
static inline void extent_clear_end(char *end, size_t bytes)
{
  (void)end, (void)bytes;
}

static inline size_t extent_usable(struct page *page, const void *block)
{
  (void)block;
  return page->block_bytes;
}

// Whether what is around a block in use is as it should be; else that has been told.
static inline bool extent_check(struct page *page, void *block)
{
  (void)page, (void)block;
  return true;
}

// Tells of a pointer that is no block.
static inline void extent_misuse(const char *message, const void *pointer)
{
  fatal(message, pointer);
}

// Blocks that are guarded one by one lie in no page (hardened): NULL if this one is not to be.
static inline void *extent_allocate_guarded(size_t size, size_t alignment, enum block_kind kind)
{
  (void)size, (void)alignment, (void)kind;
  return NULL;
}

static inline bool extent_is_guarded(const void *block)
{
  (void)block;
  return false;
}

static inline void extent_free_guarded(void *block, const struct block_claim *claim)
{
  (void)block, (void)claim;
}

static inline size_t extent_guarded_size(const void *block, bool is_for_realloc)
{
  (void)block, (void)is_for_realloc;
  return 0;
}

// What the hardened build does at the start.
static inline void extent_choose_options(void)
{
}

static inline void extent_start(void)
{
}

static inline void extent_register_forks(void)
{
}

#endif
