// SPDX-License-Identifier: MIT
//
// Every allocation that the fast path does not serve, and every free that it does not: which heap,
// which kind of page, what happens when there is no memory, and what is said of a bad pointer.
#ifndef API_ALLOCATE_H
#define API_ALLOCATE_H

#include <errno.h>
#include <string.h>

#include "api/extent.h"
#include "core/heap.h"
#include "core/large.h"
#include "core/source.h"

#define NATURAL_ALIGNMENT ((size_t)16)  // what every block is aligned to at least

// What a function does and returns that gives no block.
static inline void *allocate_fail(int error)
{
  errno = error;
  return NULL;
}

// A block of `size` bytes at a multiple of `alignment` (a power of two), zeroed if so asked, from
// `heap` or, if that is NULL, from the calling thread's. NULL and ENOMEM on failure.
INTERNAL NOINLINE void *allocate(struct heap *heap, size_t size, size_t alignment, bool is_zeroed);

// Zeroes a plain small block, which holds a multiple of 16 bytes; short ones without a call.
static inline void *allocate_clear(struct block *block, size_t size)
{
  char *bytes = (char *)block;
  if (size > 4 * NATURAL_ALIGNMENT) return memset(block, 0, size);
  memset(bytes, 0, NATURAL_ALIGNMENT);
  if (size > NATURAL_ALIGNMENT) memset(bytes + NATURAL_ALIGNMENT, 0, NATURAL_ALIGNMENT);
  if (size > 2 * NATURAL_ALIGNMENT) memset(bytes + 2 * NATURAL_ALIGNMENT, 0, NATURAL_ALIGNMENT);
  if (size > 3 * NATURAL_ALIGNMENT) memset(bytes + 3 * NATURAL_ALIGNMENT, 0, NATURAL_ALIGNMENT);
  return block;
}

// The same with zeroes, natural alignment and the thread's own heap: the fast path of mend_zalloc.
static inline void *allocate_zeroed(size_t size)
{
  if (LIKELY(EXTENT_IS_PLAIN && size <= SIZE_CLASS_SMALL_BYTES)) {
    struct block *block = heap_take_small(heap_current, size);
    if (LIKELY(block != NULL)) return allocate_clear(block, size);
  }
  return allocate(NULL, size, NATURAL_ALIGNMENT, true);
}

// Where a block is to be.
struct allocate_place {
  struct heap *heap;  // NULL: the calling thread's
  int node;           // the NUMA node that it is bound to, in no heap; or PAGE_ANY_NODE
};
// The same, from there. Also EINVAL if there is no such node, EPERM if nothing may be bound.
INTERNAL void *allocate_at(struct allocate_place place, size_t size, size_t alignment,
                           bool is_zeroed);

// Frees any block, or ends the process if it is none.
INTERNAL NOINLINE void allocate_free(void *block);

// Lets time pass: now and then a slow path looks whether other heaps need tending.
INTERNAL void allocate_count_slow_call(void);

// What a pointer is used for when it turns out to be none of ours.
enum allocate_use { USE_FREE, USE_REALLOC, USE_SIZE };
// The page of a block, having checked what the page kinds allow to check.
INTERNAL struct page *allocate_page_of(const void *block, enum allocate_use use);

// The page or large block that an address lies in; NULL if it lies in none.
static inline struct page *allocate_page_around(const void *address)
{
  struct page *slice = page_around(address);
  if (slice == NULL) return NULL;
  struct page *page = page_first(slice);
  enum page_kind kind = page_kind(page);
  return kind == PAGE_LIST || kind == PAGE_BITMAP ? page : large_around(slice);
}

// Where a block should stay when it moves.
INTERNAL struct allocate_place allocate_place_of(struct page *page);

#endif
