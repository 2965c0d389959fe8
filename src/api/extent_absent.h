// SPDX-License-Identifier: MIT
//
// What the hardened build does with blocks (extent_hardened.h) and the others do not.
#ifndef API_EXTENT_ABSENT_H
#define API_EXTENT_ABSENT_H

#include "base/fatal.h"
#include "base/format.h"
#include "base/kind.h"
#include "core/page.h"

// Whether every block reads as zero when it is handed out.
static inline bool extent_is_zeroed(void)
{
  return false;
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

// What was behind the end of a block that has grown is the user's now.
static inline void extent_clear_end(char *end, size_t bytes)
{
  (void)end, (void)bytes;
}

// Holds a block in use for its being resized, if what is around it is as it should be; else that
// has been told. Then extent_resize, or extent_release: it stays as it is.
static inline bool extent_hold(struct page *page, void *block)
{
  (void)page, (void)block;
  return true;
}

static inline void extent_release(struct page *page, void *block)
{
  (void)page, (void)block;
}

// Tells of a pointer that is no block.
static inline void extent_misuse(const char *message, const void *pointer)
{
  fatal(message, pointer);
}

// Blocks that are guarded one by one lie in no page. NULL if this one is not to be.
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

static inline size_t extent_guarded_size(const void *block)
{
  (void)block;
  return 0;
}

// Whether it may be resized, and its size; else that has been told.
static inline bool extent_check_guarded(const void *block, size_t *size)
{
  (void)block, (void)size;
  return false;
}

// What the first line of MEND_VERBOSE says of the build.
static inline void extent_describe_build(struct format *line)
{
  (void)line;
}

// What is done at the start.
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
