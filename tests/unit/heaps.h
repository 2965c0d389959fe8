// SPDX-License-Identifier: MIT
//
// What is done again and again with heaps over the fixture, as a thread does it whose heap it is,
// and looks into their bins.
#ifndef TESTS_UNIT_HEAPS_H
#define TESTS_UNIT_HEAPS_H

#include "fixture.h"

#include "core/heap.h"

#define SOMEBODY ((uintptr_t)8)  // a thread's id, but no thread's

static inline void init_heap(struct heap *heap, uintptr_t owner)
{
  *heap = (struct heap){.next = NULL};
  heap_init(heap, owner, &fixture.source);
}

// The page of a block.
static inline struct page *page_of(void *block)
{
  return page_first(page_of_units(page_units(block)));
}

// A block that a checker allows to touch.
static inline void *take(struct heap *heap, unsigned size_class, bool *is_clean)
{
  void *block = heap_take(heap, size_class, is_clean);
  if (block != NULL) allow_touch(block, size_class_bytes(size_class));
  return block;
}

// Frees a block as the api layer does for a thread whose heap that is.
static inline void free_into(struct heap *heap, void *block)
{
  struct page *page = page_of(block);
  bool is_own = heap_owner(heap) == os_thread_id();
  if (page_kind(page) == PAGE_BITMAP) {
    heap_put_medium(is_own ? heap : NULL, page, block, page_block_index(page, block));
  } else if (page->bin_offset == 0 || !is_own) {
    remote_free(page, block);
  } else {
    heap_put(heap, page, block);
  }
}

// The same for the heap that the block is from.
static inline void free_block(void *block)
{
  free_into(page_heap(page_of(block)), block);
}

// Frees a medium block past the shelf.
static inline void free_to_page(void *block)
{
  heap_put_medium(NULL, page_of(block), block, page_block_index(page_of(block), block));
}

static inline void collect(struct heap *heap)
{
  heap_enter(heap);
  (void)heap_collect(heap, true, false);
  heap_leave(heap);
}

static inline void assert_valid(struct heap *heap)
{
  heap_enter(heap);
  heap_assert_valid(heap);
  heap_leave(heap);
}

static inline void free_all(struct heap *heap)
{
  heap_enter(heap);
  heap_free_all(heap);
  heap_leave(heap);
}

// ---------------------------------------------------------------------------------------------
// Bins.

static inline size_t bin_count(struct bin *bin)
{
  size_t count = 0;
  for (struct block *at = bin->first; at != NULL; at = block_next(at)) count++;
  return count;
}

static inline uint32_t most_of_class(unsigned size_class)
{
  size_t most = TUNING_BIN_BYTES / size_class_bytes(size_class);
  if (most > TUNING_BIN_MOST) most = TUNING_BIN_MOST;
  return most < TUNING_BIN_LEAST ? TUNING_BIN_LEAST : (uint32_t)most;
}

// Refills the class's bin until its limit is the greatest, and empties it.
static inline struct bin *grow_bin(struct heap *heap, unsigned size_class)
{
  struct bin *bin = heap_bin(heap, size_class);
  while (bin->limit < most_of_class(size_class)) {
    void *block = take(heap, size_class, NULL);
    CHECK(block != NULL);
  }
  collect(heap);
  return bin;
}

// Makes the limit of an empty bin the least: it returns one or two blocks at a time, which were
// freed in a row.
static inline void shrink_bin(struct heap *heap, unsigned size_class)
{
  struct bin *bin = heap_bin(heap, size_class);
  CHECK(bin->first == NULL);
  bin->limit = TUNING_BIN_LEAST;
  counter_set(&bin->room, 0);
}

// How many free blocks lie in the list pages that are out.
static inline size_t blocks_in_pages(void)
{
  size_t count = 0;
  for (size_t i = 0; i < FIXTURE_SLICES; i++) {
    struct page *page = &fixture.pages[i];
    if (page_kind(page) != PAGE_LIST) continue;
    count += page->carved - page_used(page) + remote_count(page);
  }
  return count;
}

// Takes all blocks of a page of the class; returns the page.
static inline struct page *take_page(struct heap *heap, unsigned size_class, void **blocks)
{
  blocks[0] = take(heap, size_class, NULL);
  struct page *page = page_of(blocks[0]);
  for (uint32_t i = 1; i < page->capacity; i++) {
    blocks[i] = take(heap, size_class, NULL);
    CHECK(page_of(blocks[i]) == page);
  }
  return page;
}

#endif
