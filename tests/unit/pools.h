// SPDX-License-Identifier: MIT
//
// For tests of the hardened policy: a heap over the fixture, at a level, and what waits in it.
#ifndef TESTS_UNIT_POOLS_H
#define TESTS_UNIT_POOLS_H

#include "heaps.h"

#include "base/options.h"
#include "core/policy.h"

enum { POOLS_BYTES = 64 };  // of the blocks that most is tried with, and their class
static inline unsigned pools_class(void)
{
  return size_class_of(POOLS_BYTES);
}

// A heap of this thread that has nothing yet.
static inline void pools_begin(struct heap *heap, unsigned level)
{
  options.harden = level;
  init_heap(heap, os_thread_id());
  heap->self = heap;
}

static inline void *pools_take(struct heap *heap)
{
  void *block = take(heap, pools_class(), NULL);
  CHECK(block != NULL);
  return block;
}

static inline void pools_take_many(struct heap *heap, void **blocks, size_t count)
{
  for (size_t i = 0; i < count; i++) blocks[i] = pools_take(heap);
}

// Frees a block of any heap as a thread does whose heap that is; NULL: one that has none.
static inline void pools_put(struct heap *heap, void *block)
{
  heap_put_medium(heap, page_of(block), block, page_block_index(page_of(block), block));
}

static inline void pools_put_many(struct heap *heap, void **blocks, size_t count)
{
  for (size_t i = 0; i < count; i++) pools_put(heap, blocks[i]);
}

// How many free blocks of a class wait in a heap.
static inline size_t pools_waiting(const struct heap *heap, unsigned size_class)
{
  size_t count = 0;
  for (uint32_t i = 0; i < policy_waiting_places(heap, size_class); i++) {
    count += policy_waiting(heap, size_class, i) != NULL;
  }
  return count;
}

// How many blocks of all pages that are out the pages themselves have not.
static inline size_t pools_out_of_pages(void)
{
  size_t count = 0;
  for (size_t i = 0; i < FIXTURE_SLICES; i++) {
    struct page *page = &fixture.pages[i];
    if (page_kind(page) == PAGE_BITMAP) count += page_bitmap_used(page);
  }
  return count;
}

#endif
