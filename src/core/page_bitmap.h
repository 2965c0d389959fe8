// SPDX-License-Identifier: MIT
//
// The bitmap page: one bit a block, set while the block is free in the page. Setting it is all that
// giving a block back takes, from whichever thread, so doing that twice is told by the bit itself,
// and whoever walks the page sees a truth about each block that is at most an instant old. (A block
// on a heap's shelf has its bit clear.)
//
// Pages can be closed, and can hold more than 64 blocks, for the sake of relocatable objects; no
// page of the malloc family is or does.
//
// Up to 64 blocks the bitmap is a word of the descriptor, which says by itself whether any block is
// in use. Above, it lies among the metadata and `remote` counts the blocks in use.
#ifndef CORE_PAGE_BITMAP_H
#define CORE_PAGE_BITMAP_H

#include "core/page.h"

// False if there is no memory for the bitmap.
INTERNAL bool page_bitmap_init(struct page *page);
INTERNAL void page_bitmap_destroy(struct page *page);
// Takes one block; NULL if none is free or the page is closed. `is_zero` (may be NULL) tells
// whether its memory reads as zero. Inside the heap.
INTERNAL void *page_bitmap_take(struct page *page, bool *is_zero);
// Takes all free blocks of a word of the bitmap, the first from *word on, and once around, that has
// such: their bits, 0 if there are none. Sets *word to that word. Inside the heap.
INTERNAL uint64_t page_bitmap_take_word(struct page *page, uint32_t *word);
// What a free found.
enum page_bitmap_freed { FREED_BLOCK, FREED_LAST_BLOCK, FREED_TWICE };
// Frees the block with this index: any thread, no lock.
INTERNAL enum page_bitmap_freed page_bitmap_free(struct page *page, uint32_t index);
// The same for several blocks of a word, which all go or none: FREED_TWICE of any.
INTERNAL enum page_bitmap_freed page_bitmap_free_bits(struct page *page, uint32_t word,
                                                      uint64_t bits);
INTERNAL bool page_bitmap_has_free(struct page *page);
INTERNAL uint32_t page_bitmap_used(struct page *page);
INTERNAL bool page_bitmap_is_unused(struct page *page);
INTERNAL bool page_bitmap_is_live(struct page *page, uint32_t index);
// Returns the memory of its free blocks to the kernel, as far as whole os pages allow. Inside the
// heap, any thread. Says how many bytes went.
INTERNAL size_t page_bitmap_purge(struct page *page);
// How much of the page's free blocks' memory has gone: whole os pages only.
INTERNAL size_t page_bitmap_purged_bytes(const struct page *page);
// From now on nothing is taken from the page; frees go on.
INTERNAL void page_bitmap_close(struct page *page);
INTERNAL void page_bitmap_open(struct page *page);
// Inside the heap; others may free meanwhile.
INTERNAL void page_bitmap_assert_valid(struct page *page);

#endif
