// SPDX-License-Identifier: MIT
//
// Frees by other threads than the owner.
//
// A thread gathers the blocks it frees into somebody else's list pages, a chain a page, and splices
// each chain onto its page with one compare-and-swap (the idea is snmalloc's BatchIt, Parkinson et
// al., ISMM 2024). A page is awaited as long as it is a heap's: the first free by another thread
// posts it to the inbox of its heap. The owner may be idle for ever: so when several wholly free
// pages have gathered, the thread that found the last goes inside the owner's heap and gives them
// back.
#ifndef CORE_REMOTE_H
#define CORE_REMOTE_H

#include "core/page.h"

// Chains that a thread has gathered, in its heap; only that thread touches them.
struct outgoing {
  struct {
    struct page *page;  // NULL: unused
    struct block *first;
    struct block *last;
    uint32_t count;
  } slot[TUNING_OUTGOING_SLOTS];
  size_t bytes;  // in all of them
};

// Frees a block of a list page that the calling thread does not own. `heap` is the thread's own, or
// NULL to splice at once.
INTERNAL void remote_free(struct heap *heap, struct page *page, struct block *block);
// Frees a block of a bitmap page, whoever owns it.
INTERNAL void remote_free_bitmap(struct page *page, void *block, uint32_t index);
// Splices everything that was gathered.
INTERNAL void remote_flush(struct heap *heap);
// Looks at every page that was posted to the heap. Inside it; any thread.
INTERNAL void remote_read_inbox(struct heap *heap);

// The page's word: how many blocks wait in it, the first of them, and taking them all.
INTERNAL uint32_t remote_count(struct page *page);
INTERNAL struct block *remote_peek(struct page *page);
INTERNAL struct block_chain remote_take(struct page *page);

#endif
