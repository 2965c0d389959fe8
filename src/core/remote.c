// SPDX-License-Identifier: MIT
#include "core/remote.h"

#include "base/fatal.h"
#include "core/heap.h"
#include "core/policy.h"
#include "core/block_link.h"

#define COUNT_SHIFT 48
#define ADDRESS_MASK ((UINT64_C(1) << COUNT_SHIFT) - 1)

static struct block *word_first(uint64_t word)
{
  return (struct block *)(uintptr_t)(word & ADDRESS_MASK);
}

static uint32_t word_count_of(uint64_t word)
{
  return (uint32_t)(word >> COUNT_SHIFT);
}

INTERNAL uint32_t remote_count(struct page *page)
{
  return word_count_of(atomic_load(&page->remote));  // seq_cst: see remote_notify
}

INTERNAL struct block *remote_peek(struct page *page)
{
  return word_first(atomic_load_explicit(&page->remote, memory_order_acquire));
}

INTERNAL struct block_chain remote_take(struct page *page)
{
  if (atomic_load_explicit(&page->remote, memory_order_relaxed) == 0) {
    return (struct block_chain){0};
  }
  // acquire: pairs with splice, so that the links and the blocks' last uses are seen
  uint64_t word = atomic_exchange_explicit(&page->remote, 0, memory_order_acquire);
  return (struct block_chain){word_first(word), NULL, word_count_of(word)};
}

// ---------------------------------------------------------------------------------------------
// Telling the owner.

// Puts a page whose notice we have just made POSTED into its heap's inbox.
static void post(struct page *page)
{
  struct heap *heap = page_heap(page);
  if (heap == NULL) return;  // its heap has ended and left it behind (discard_page)
  policy_verify_heap(heap, page);
  struct page *first = atomic_load_explicit(&heap->inbox, memory_order_relaxed);
  do {
    atomic_store_explicit(&page->inbox_next, first, memory_order_relaxed);
    // release: pairs with the exchange in remote_read_inbox
  } while (!atomic_compare_exchange_weak_explicit(&heap->inbox, &first, page, memory_order_release,
                                                  memory_order_relaxed));
}

static bool notice_becomes_posted(struct page *page)
{
  uint32_t expected = NOTICE_AWAITED;
  return atomic_compare_exchange_strong(&page->notice, &expected, NOTICE_POSTED);
}

// After a free by another thread: posts the page if it is awaited. The free came before this load
// and both are seq_cst, as are, in remote_read_inbox, the store of AWAITED and the later look at
// the free blocks: one of the two sees the other's.
static void remote_notify(struct page *page)
{
  if (atomic_load(&page->notice) != NOTICE_AWAITED) return;
  if (notice_becomes_posted(page)) post(page);
}

// The page looks wholly free. An owner at work finds it in its inbox soon. One that has let several
// such pages gather may be idle for ever: then whoever finds the next reads the inbox in its place.
static void reclaim(struct page *page)
{
  struct heap *heap = page_heap(page);
  if (heap == NULL) return;
  policy_verify_heap(heap, page);
  if (heap->is_given_up) return;
  if (notice_becomes_posted(page)) post(page);
  bool has_owner = heap_owner(heap) != OWNER_SHARED;
  uint32_t posts = atomic_fetch_add_explicit(&heap->unused_posts, 1, memory_order_relaxed) + 1;
  if (has_owner && posts < TUNING_POSTS_BEFORE_RECLAIM) return;
  if (heap_owner(heap) == os_thread_id() || !heap_try_enter(heap)) return;
  remote_read_inbox(heap);
  heap_leave(heap);
}

INTERNAL void remote_read_inbox(struct heap *heap)
{
  if (LIKELY(atomic_load_explicit(&heap->inbox, memory_order_relaxed) == NULL)) return;
  atomic_store_explicit(&heap->unused_posts, 0, memory_order_relaxed);
  // acquire: pairs with post
  struct page *page = atomic_exchange_explicit(&heap->inbox, NULL, memory_order_acquire);
  while (page != NULL) {
    policy_verify_heap(heap, page);
    struct page *next = atomic_load_explicit(&page->inbox_next, memory_order_relaxed);
    if (page_heap(page) != heap) {
      post(page);  // the page has changed hands since: send it on
    } else {
      atomic_store(&page->notice, NOTICE_AWAITED);
      heap_page_posted(heap, page);
    }
    page = next;
  }
}

// ---------------------------------------------------------------------------------------------
// Frees into list pages.

static void splice_chain(struct page *page, struct block_chain chain)
{
  uint64_t before = atomic_load_explicit(&page->remote, memory_order_relaxed);
  uint64_t after;
  do {
    block_set_next(chain.last, word_first(before));
    after = (uint64_t)(uintptr_t)chain.first | (uint64_t)(word_count_of(before) + chain.count)
                                                   << COUNT_SHIFT;
    // seq_cst covers the release that pairs with remote_take, and remote_notify
  } while (!atomic_compare_exchange_weak(&page->remote, &before, after));
  if (page_list_is_unused(page)) {
    reclaim(page);
  } else {
    remote_notify(page);
  }
}

INTERNAL void remote_free(struct page *page, struct block *block)
{
  splice_chain(page, block_chain_of(block));
}

INTERNAL void remote_flush(struct outgoing *outgoing)
{
  for (; outgoing->taken != 0; outgoing->taken &= outgoing->taken - 1) {
    unsigned slot = bits_lowest(outgoing->taken);
    splice_chain(outgoing->page[slot], outgoing->chain[slot]);
  }
}

INTERNAL void remote_gather(struct outgoing *outgoing, struct page *page, struct block_chain chain)
{
  unsigned slot = (unsigned)page_index(page) & (TUNING_OUTGOING_SLOTS - 1);
  struct block_chain *gathered = &outgoing->chain[slot];
  bool is_taken = (outgoing->taken >> slot & 1) != 0;
  if (is_taken && outgoing->page[slot] == page) {
    block_set_next(chain.last, gathered->first);
    gathered->first = chain.first;
    gathered->count += chain.count;
    return;
  }
  if (is_taken) splice_chain(outgoing->page[slot], *gathered);
  outgoing->taken |= UINT32_C(1) << slot;
  outgoing->page[slot] = page;
  *gathered = chain;
}

static void bitmap_page_emptied(struct page *page)
{
  struct heap *heap = page_heap(page);
  if (heap == NULL || heap != heap_current || heap_is_barred(heap)) {
    reclaim(page);
    return;
  }
  heap_enter(heap);
  if (page_heap(page) == heap) heap_page_emptied(heap, page);
  heap_leave(heap);
}

static void after_free(struct page *page, enum page_bitmap_freed freed, void *block)
{
  switch (freed) {
  case FREED_TWICE:
    fatal("double free", block);
  case FREED_LAST_BLOCK:
    bitmap_page_emptied(page);
    break;
  case FREED_BLOCK:
    remote_notify(page);
    break;
  }
}

INTERNAL void remote_free_bitmap(struct page *page, void *block, uint32_t index)
{
  after_free(page, page_bitmap_free(page, index), block);
}

INTERNAL void remote_free_bits(struct page *page, uint32_t word, uint64_t bits)
{
  void *first = page_start(page) + (word * 64 + bits_lowest(bits)) * page->block_bytes;
  after_free(page, page_bitmap_free_bits(page, word, bits), first);
}
