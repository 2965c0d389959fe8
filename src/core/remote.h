// SPDX-License-Identifier: MIT
//
// Frees by other threads than the owner.
//
// Blocks that a heap gives back to somebody else's list pages are gathered into a chain for each
// page, and each chain is spliced onto its page with one compare-and-swap (the idea is snmalloc's
// BatchIt, Parkinson et al., ISMM 2024). A page is awaited as long as it is a heap's: the first
// free by another thread posts it to the inbox of its heap. The owner may be idle for ever: so when
// several wholly free pages have gathered, the thread that found the last goes inside the owner's
// heap and gives them back.
#ifndef CORE_REMOTE_H
#define CORE_REMOTE_H

#include "core/page_list.h"

// Chains that are being gathered, each for a page. None of them: {.taken = 0}.
struct outgoing {
  uint32_t taken;  // bit a slot that is in use; the others are undefined
  struct page *page[TUNING_OUTGOING_SLOTS];
  struct block_chain chain[TUNING_OUTGOING_SLOTS];
};

// Frees a block of another heap's list page at once.
INTERNAL void remote_free(struct page *page, struct block *block);
// Frees blocks of one of another heap's list pages at remote_flush, or before.
INTERNAL void remote_gather(struct outgoing *outgoing, struct page *page, struct block_chain chain);
INTERNAL void remote_flush(struct outgoing *outgoing);
// Frees a block of a bitmap page, whoever owns it; or several of a word of its bitmap.
INTERNAL void remote_free_bitmap(struct page *page, void *block, uint32_t index);
INTERNAL void remote_free_bits(struct page *page, uint32_t word, uint64_t bits);
// Looks at every page that was posted to the heap. Inside it; any thread.
INTERNAL void remote_read_inbox(struct heap *heap);

// The page's word: how many blocks wait in it, the first of them, and taking them all.
INTERNAL uint32_t remote_count(struct page *page);
INTERNAL struct block *remote_peek(struct page *page);
INTERNAL struct block_chain remote_take(struct page *page);

#endif
