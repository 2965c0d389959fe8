// SPDX-License-Identifier: MIT
//
// Blocks of the library's own heaps, for tests of what is remembered of them: nobody but the test
// tells the tracker.
#ifndef TESTS_UNIT_TRACKED_H
#define TESTS_UNIT_TRACKED_H

#include <string.h>

#include "../support/suite.h"
#include "core/large.h"
#include "core/registry.h"
#include "track/tracker.h"

static inline struct page *tracked_page(const void *block)
{
  return page_first(page_at(block));
}

static inline void *tracked_take(size_t size)
{
  struct heap *heap = registry_init() ? registry_current() : NULL;
  CHECK(heap != NULL);
  void *block = size <= SIZE_CLASS_MAX_BYTES ? heap_take(heap, size_class_of(size), NULL)
                                             : large_allocate(NULL, size, 16, NULL);
  CHECK(block != NULL);
  return block;
}

static inline void tracked_give_back(void *block)
{
  struct page *page = tracked_page(block);
  switch (page_kind(page)) {
  case PAGE_LIST:
    remote_free(page, block);
    break;
  case PAGE_LARGE:
    CHECK(large_free(page));
    break;
  default:
    heap_put_medium(registry_current(), page, block, page_block_index(page, block));
  }
}

// A block that is remembered, and the end of it.
static inline void *tracked_allocate(size_t size)
{
  void *block = tracked_take(size);
  CHECK(tracker_add(tracked_page(block), block, size, NULL, KIND_MALLOC));
  return block;
}

static inline void tracked_free(void *block)
{
  struct tracker_block known;
  CHECK(tracker_remove(tracked_page(block), block, &known));
  tracked_give_back(block);
}

#endif
