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
// The same from the thread's own heap, for a function of another kind.
INTERNAL NOINLINE void *allocate_as(enum block_kind kind, size_t size, size_t alignment);

// Where a block is to be, and by what it is asked for.
struct allocate_place {
  struct heap *heap;  // NULL: the calling thread's
  int node;           // the NUMA node that it is bound to, in no heap; or PAGE_ANY_NODE
  enum block_kind kind;
};
// The same, from there. Also EINVAL if there is no such node, EPERM if nothing may be bound.
INTERNAL void *allocate_at(struct allocate_place place, size_t size, size_t alignment,
                           bool is_zeroed);

// Frees any block, or tells that it is none.
INTERNAL NOINLINE void allocate_free(void *block, const struct block_claim *claim);

// Gives a block that was in use, and is wiped, to where free blocks of its page wait (hardened).
INTERNAL NOINLINE void allocate_put_away(struct page *page, void *block);

// Whether a block of this page is zeroed when it is freed.
static inline bool allocate_wipes(struct page *page)
{
  const struct heap *heap = page_heap(page);
  return heap != NULL && atomic_load_explicit(&heap->wipes, memory_order_relaxed);
}
// Zeroes a block, but for its first `kept` bytes, so that no optimizer drops it.
INTERNAL void allocate_wipe(struct page *page, void *block, size_t kept);

// Lets time pass: now and then a slow path looks whether other heaps need tending.
INTERNAL void allocate_count_slow_call(void);

// What a pointer is used for when it turns out to be none of ours.
enum allocate_use { USE_FREE, USE_REALLOC, USE_SIZE };
// The page of a block, having checked what the page kinds allow to check. NULL if it is none, and
// the option on_misuse has let the process go on.
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
