// SPDX-License-Identifier: MIT
//
// The list page. Its blocks are taken in bulk: a heap hands them out and takes them back without
// looking at the page, and each counts as in use from the moment it was taken until it is returned.
//
// `remote` is one word, so that other threads splice a chain with one compare-and-swap: the address
// of the first block in the low 48 bits, the number of blocks above. Only who is inside the
// heap takes it, always whole, so there is no ABA.
#ifndef CORE_PAGE_LIST_H
#define CORE_PAGE_LIST_H

#include "core/page.h"

// Blocks of a list page that are out: with the user, in a heap's bins, or freed by others and not
// yet taken back.
static inline uint32_t page_used(struct page *page)
{
  return atomic_load_explicit(&page->used, memory_order_acquire);
}

// A chain of free blocks.
struct block_chain {
  struct block *first;
  struct block *last;  // unknown (NULL) in what page_list_take returns
  uint32_t count;
};

static inline struct block_chain block_chain_of(struct block *block)
{
  return (struct block_chain){block, block, 1};
}

// Takes free blocks out of the page: what its heap returned, else what others freed, else the next
// os page's worth of blocks that were never used. Empty only if all blocks are out. The blocks
// count as in use. Inside the heap.
INTERNAL struct block_chain page_list_take(struct page *page);
// Puts back what was left of that, the page being as it was then. Inside the heap.
INTERNAL void page_list_put_back(struct page *page, struct block *first, uint32_t count);
// Whether page_list_take would find something.
INTERNAL bool page_list_has_free(struct page *page);
// Puts free blocks back. Inside the heap.
INTERNAL void page_list_return(struct page *page, struct block_chain chain);
// Whether every block is free. Exact inside the heap, a good guess otherwise.
INTERNAL bool page_list_is_unused(struct page *page);
// Sets a bit in `free` for each of its blocks that is free in the page. Inside the heap.
INTERNAL void page_list_mark_free(struct page *page, uint64_t *free);
INTERNAL void page_list_assert_valid(struct page *page);

#endif
