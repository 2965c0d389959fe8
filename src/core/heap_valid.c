// SPDX-License-Identifier: MIT
//
// What is true of a heap at any time, for who is inside: what heap.h and page.h say of its bins,
// its queues and its pages. Only builds with internal checks look, and only tests ask.
#include "base/fatal.h"
#include "core/heap.h"

// The owner works on bins and shelves without being inside: only it may look at them.
static void assert_bins_valid(struct heap *heap)
{
  bool is_shared = heap_owner(heap) == OWNER_SHARED;
  if (!is_shared && heap_owner(heap) != os_thread_id()) return;
  ASSERT(heap->bins[0].first == NULL && counter_get(&heap->bins[0].room) == 0);
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) {
    ASSERT(heap->shelves[i].count <= (is_shared ? 0U : TUNING_SHELF_BLOCKS));
  }
}

// Says how many pages are in the queue of a class.
static size_t assert_queue_valid(struct heap *heap, unsigned size_class)
{
  size_t count = 0;
  struct list *queue = &heap->queue[size_class];
  ASSERT(heap_may_have(heap, size_class) == !list_is_empty(queue));
  for (struct list *at = queue->next; at != queue; at = at->next, count++) {
    struct page *page = CONTAINER_OF(at, struct page, link);
    ASSERT(page_heap(page) == heap && page->size_class == size_class);
    ASSERT((page->flags & PAGE_IS_CLOSED) == 0);
    (void)page;
  }
  return count;
}

// Says how many pages are in a queue, for what they say themselves.
static size_t assert_pages_valid(struct heap *heap)
{
  size_t queued = 0;
  for (struct list *at = heap->pages.next; at != &heap->pages; at = at->next) {
    struct page *page = CONTAINER_OF(at, struct page, chain);
    ASSERT(page_heap(page) == heap);
    page_assert_valid(page);
    bool is_closed = (page->flags & PAGE_IS_CLOSED) != 0;  // then `link` is somebody else's
    if (!is_closed && list_contains_node(&page->link)) queued++;
  }
  return queued;
}

// Whoever frees a large block claims it before he enters, by its kind.
static void assert_large_valid(struct heap *heap)
{
  for (struct list *at = heap->large.next; at != &heap->large; at = at->next) {
    struct page *page = CONTAINER_OF(at, struct page, chain);
    enum page_kind kind = page_kind(page);
    ASSERT(page_heap(page) == heap && (kind == PAGE_LARGE || kind == PAGE_NONE));
    (void)page, (void)kind;
  }
}

INTERNAL void heap_assert_valid(struct heap *heap)
{
  size_t queued = 0;
  assert_bins_valid(heap);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) queued += assert_queue_valid(heap, i);
  size_t said = assert_pages_valid(heap);
  ASSERT(said == queued);
  (void)said, (void)queued;
  assert_large_valid(heap);
}
