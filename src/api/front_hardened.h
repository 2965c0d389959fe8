// SPDX-License-Identifier: MIT
//
// The hardened fast paths: blocks of all classes wait in pools. They speak to secure/slot.h itself,
// whose fast forms are made for them.
#ifndef API_FRONT_HARDENED_H
#define API_FRONT_HARDENED_H

#include "api/allocate.h"
#include "api/extent.h"
#include "core/policy.h"

static inline void *front_allocate_one(size_t size, enum block_kind kind, bool is_zeroed)
{
  struct policy_heap *own = heap_current->policy;
  size_t total = size + slot_extra_bytes();
  if (LIKELY(size - 1 < SIZE_CLASS_MAX_BYTES - SLOT_CANARY_BYTES && own->countdown > 1)) {
    own->countdown--;
    void *block = policy_take(own, size_class_of(total));
    if (LIKELY(block != NULL)) {
      struct page *page = page_first(page_of_units(page_units(block)));
      if (UNLIKELY(!slot_open_fast(page, block, size, kind, is_zeroed))) {
        slot_open(page, block, size, kind, NATURAL_ALIGNMENT, is_zeroed);
      }
      return block;
    }
  }
  if (is_zeroed) return allocate(NULL, size, NATURAL_ALIGNMENT, true);
  return allocate_as(kind, size, NATURAL_ALIGNMENT);
}

// A block of natural alignment from the thread's own heap; NULL and ENOMEM on failure.
static inline void *front_allocate(size_t size, enum block_kind kind)
{
  return front_allocate_one(size, kind, false);
}

// The same, and it reads as zero.
static inline void *front_allocate_zeroed(size_t size)
{
  if (LIKELY(slot_is_zeroed())) return front_allocate_one(size, KIND_MALLOC, true);
  return allocate(NULL, size, NATURAL_ALIGNMENT, true);
}

// A block of a bitmap page; its blocks may wait with any thread unless they are of a first-class
// heap.
static inline void front_free(void *block, const struct block_claim *claim)
{
  struct page *slice = page_at(block);
  struct page *page = LIKELY(slice != NULL) ? page_first(slice) : NULL;
  if (UNLIKELY(page == NULL || page_kind(page) != PAGE_BITMAP || page->is_direct)) {
    allocate_free(block, claim);
    return;
  }
  uint32_t index = page_block_index(page, block);
  if (UNLIKELY(index == UINT32_MAX || !slot_close_fast(page, index, block, claim))) {
    allocate_free(block, claim);
  } else if (UNLIKELY(!policy_put(heap_current->policy, page->size_class, block))) {
    allocate_put_away(page, block);
  }
}

// The same with a claim in pieces.
static inline void front_free_as(void *block, enum block_kind kind, bool has_size, size_t size,
                                 size_t alignment)
{
  front_free(block, &(struct block_claim){
                        .kind = kind, .has_size = has_size, .size = size, .alignment = alignment});
}

#endif
