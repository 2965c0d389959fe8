// SPDX-License-Identifier: MIT
//
// The slow paths of a heap. A page of a heap is in one of two places: in the queue of its class,
// because it has free blocks, or parked, because it has none or next to none. A page whose blocks
// come free goes to the end of the queue, so that by its turn it has gathered more of them.
#include "core/heap.h"

#include "base/fatal.h"
#include "core/chunk.h"
#include "core/policy.h"
#include "core/registry.h"
#include "os/system.h"

INTERNAL struct heap heap_empty = {.policy = POLICY_NOTHING};
#ifndef MEND_ONE_FILE
_Thread_local struct heap *heap_current = &heap_empty;
#endif

// ---------------------------------------------------------------------------------------------
// Queue and park.

static void mark_queued(struct heap *heap, unsigned size_class, bool is_queued)
{
  _Atomic(uint64_t) *word = &heap->queued[size_class / 64];
  uint64_t bit = UINT64_C(1) << size_class % 64;
  uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
  atomic_store_explicit(word, is_queued ? old | bit : old & ~bit, memory_order_relaxed);
}

INTERNAL bool heap_may_have(struct heap *heap, unsigned size_class)
{
  uint64_t word = atomic_load_explicit(&heap->queued[size_class / 64], memory_order_relaxed);
  return (word >> size_class % 64 & 1) != 0;
}

static void unqueue(struct heap *heap, struct page *page)
{
  if (!list_contains_node(&page->link)) return;
  list_remove_from(&heap->queue[page->size_class], &page->link);
  if (list_is_empty(&heap->queue[page->size_class])) mark_queued(heap, page->size_class, false);
}

INTERNAL void heap_queue(struct heap *heap, struct page *page)
{
  if (list_contains_node(&page->link)) return;
  list_push_back(&heap->queue[page->size_class], &page->link);
  mark_queued(heap, page->size_class, true);
}

// (A free by another thread that comes after this look posts the page.)
INTERNAL void heap_park_if_full(struct heap *heap, struct page *page)
{
  if (!page_has_free(page)) unqueue(heap, page);
}

// ---------------------------------------------------------------------------------------------

INTERNAL void heap_init(struct heap *heap, uintptr_t owner, const struct page_source *source)
{
  atomic_store_explicit(&heap->owner, owner, memory_order_relaxed);
  heap->adopts = false;
  heap->keeps_unused = true;
  heap->is_direct = false;
  heap->has_objects = false;
  heap->has_samples = false;
  heap->bins_state = SAMPLING_OFF;
  atomic_store_explicit(&heap->wanted_state, SAMPLING_OFF, memory_order_relaxed);
  atomic_store_explicit(&heap->wipes, false, memory_order_relaxed);
  heap->source = source;
  heap->request = (struct page_request){PAGE_ANY_NODE, 0};
  for (unsigned i = 0; i < BIN_COUNT; i++) heap->bins[i] = (struct bin){0};
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) heap->shelves[i] = (struct shelf){0};
  heap->policy = POLICY_NOTHING;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    list_init(&heap->queue[i]);
    mark_queued(heap, i, false);
  }
  list_init(&heap->pages);
  list_init(&heap->large);
}

// ---------------------------------------------------------------------------------------------
// Getting and losing pages.

// Leads frees into a page to the bin that is to have its blocks.
static void lead(struct heap *heap, struct page *page)
{
  bool has_bin = page_kind(page) == PAGE_LIST && !heap->is_direct && !heap->has_samples;
  page_set_bin_offset(page, has_bin ? sampling_lead(page->size_class) : 0);
}

INTERNAL void heap_follow_sampling(struct heap *heap)
{
  uint32_t state = atomic_load(&sampling.led);
  atomic_store_explicit(&heap->wanted_state, state, memory_order_relaxed);
  for (struct list *at = heap->pages.next; at != &heap->pages; at = at->next) {
    lead(heap, CONTAINER_OF(at, struct page, chain));
  }
}

static void add_page(struct heap *heap, struct page *page)
{
  lead(heap, page);
  atomic_store_explicit(&page->heap, heap, memory_order_release);
  list_push_back(&heap->pages, &page->chain);
  policy_seal(page);
}

static void remove_page(struct heap *heap, struct page *page)
{
  unqueue(heap, page);
  list_remove_from(&heap->pages, &page->chain);
}

// Ends a page that no post can reach any more. `is_clean`: its blocks have been freed one by one.
static void give_page(struct heap *heap, struct page *page, bool is_clean)
{
  bool is_closed = policy_close_page(heap, page, is_clean);
  atomic_store_explicit(&page->heap, NULL, memory_order_release);
  page_set_bin_offset(page, 0);
  if (page_kind(page) == PAGE_BITMAP) page_bitmap_destroy(page);
  if (is_closed) page->source->give(page->source, page);
}

// The process has grown. When it has done so by a sixteenth, what lies free inside of other pages
// of this heap goes back to the kernel, so that memory for one size does not stay while another
// grows.
static void purge_for_growth(struct heap *heap)
{
  size_t peak = chunk_peak_bytes();
  if (peak < heap->purged_at_bytes + heap->purged_at_bytes / 16 + TUNING_GROWTH_LEAST) return;
  heap->purged_at_bytes = peak;
  for (struct list *at = heap->pages.next; at != &heap->pages; at = at->next) {
    struct page *page = CONTAINER_OF(at, struct page, chain);
    policy_verify_listed(heap, page);
    if (page_kind(page) == PAGE_BITMAP) (void)page_bitmap_purge(page);
  }
}

// A fresh page from the source.
static struct page *new_page(struct heap *heap, unsigned size_class)
{
  size_t block_bytes = size_class_bytes(size_class);
  uint32_t slices = page_slices_for(block_bytes);
  if (!policy_prepare(heap)) return NULL;
  bool is_list = TUNING_HAS_LISTS && size_class < SIZE_CLASS_SMALL_COUNT && !heap->has_objects;
  enum page_kind kind = is_list ? PAGE_LIST : PAGE_BITMAP;
  bool is_zero;
  struct page *page = heap->source->take(heap->source, slices, 1, heap->request, &is_zero);
  if (page == NULL) return NULL;
  if (is_zero && !heap->has_objects) purge_for_growth(heap);
  page->source = heap->source;
  page->size_class = (uint8_t)size_class;
  page_init(page, kind, slices, block_bytes, is_zero);
  if (kind == PAGE_BITMAP && !page_bitmap_init(page)) {
    heap->source->give(heap->source, page);
    return NULL;
  }
  page->is_direct = heap->is_direct;
  policy_open_page(heap, page);
  add_page(heap, page);
  atomic_store(&page->notice, NOTICE_AWAITED);  // from here on it can be posted
  heap_queue(heap, page);
  return page;
}

static void release_page(struct heap *heap, struct page *page)
{
  policy_verify_unused(page);
  if (!page_retire(page)) return;  // it hangs in an inbox: whoever reads that sees to it
  remove_page(heap, page);
  give_page(heap, page, true);
}

// Whether an unused page is worth keeping: it is all that its class has to allocate from.
static bool is_last_of_class(struct heap *heap, struct page *page)
{
  struct list *queue = &heap->queue[page->size_class];
  return list_is_empty(queue) || (queue->next == &page->link && queue->prev == &page->link);
}

INTERNAL void heap_page_emptied(struct heap *heap, struct page *page)
{
  enum page_kind kind = page_kind(page);
  if ((kind != PAGE_LIST && kind != PAGE_BITMAP) || !page_is_unused(page)) return;
  if ((page->flags & PAGE_IS_CLOSED) != 0) return;
  bool is_in_use = heap_owner(heap) == OWNER_SHARED || heap_owner(heap) == os_thread_id();
  if (!heap->keeps_unused || !is_in_use || !is_last_of_class(heap, page)) {
    release_page(heap, page);
    return;
  }
  atomic_store_explicit(&heap->may_hold_unused, true, memory_order_relaxed);
  heap_queue(heap, page);
}

INTERNAL void heap_page_posted(struct heap *heap, struct page *page)
{
  if (page_is_unused(page)) {
    heap_page_emptied(heap, page);
    return;
  }
  if (page_has_free(page)) heap_queue(heap, page);
}

// ---------------------------------------------------------------------------------------------
// Taking blocks.

INTERNAL struct page *heap_adopt_from(struct heap *heap, struct heap *from, unsigned size_class)
{
  remote_read_inbox(from);
  if (list_is_empty(&from->queue[size_class])) return NULL;
  struct page *page = CONTAINER_OF(from->queue[size_class].next, struct page, link);
  policy_verify_listed(from, page);
  remove_page(from, page);
  add_page(heap, page);
  heap_queue(heap, page);
  return page;
}

// Of the pages queued longest, the one with the most blocks in use: the others may empty. (Bitmap
// pages do not count them here: the one queued longest.)
static struct page *fullest_queued(struct list *queue)
{
  struct page *fullest = CONTAINER_OF(queue->next, struct page, link);
  unsigned attempts = TUNING_FULLEST_OF;
  for (struct list *at = queue->next; at != queue && attempts > 0; at = at->next, attempts--) {
    struct page *page = CONTAINER_OF(at, struct page, link);
    if (page_used(page) > page_used(fullest)) fullest = page;
  }
  return fullest;
}

INTERNAL struct page *heap_find_page(struct heap *heap, unsigned size_class)
{
  struct list *queue = &heap->queue[size_class];
  if (!list_is_empty(queue)) {
    struct page *page = fullest_queued(queue);
    policy_verify_listed(heap, page);
    if (UNLIKELY(page->size_class != size_class)) fatal("corrupted metadata", page);
    return page;
  }
  struct page *page = heap->adopts ? registry_adopt(heap, size_class) : NULL;
  return page != NULL ? page : new_page(heap, size_class);
}

INTERNAL void *heap_take_from_page(struct heap *heap, unsigned size_class, bool *is_zero)
{
  struct page *page = heap_find_page(heap, size_class);
  if (page == NULL) return NULL;
  void *block = page_bitmap_take(page, is_zero);
  heap_park_if_full(heap, page);
  return block;
}

INTERNAL void *heap_take_inside(struct heap *heap, unsigned size_class, bool *is_zero)
{
  if (is_zero != NULL) *is_zero = false;
  remote_read_inbox(heap);
  if (heap->has_objects) return heap_take_from_page(heap, size_class, is_zero);
  if (!TUNING_HAS_LISTS) return policy_take_inside(heap, size_class);
  if (size_class < SIZE_CLASS_SMALL_COUNT) return heap_take_from_bins(heap, size_class);
  return heap_take_from_shelves(heap, size_class, is_zero);
}

INTERNAL void *heap_take(struct heap *heap, unsigned size_class, bool *is_zero)
{
  heap_enter(heap);
  void *block = heap_take_inside(heap, size_class, is_zero);
  heap_leave(heap);
  return block;
}

INTERNAL uint32_t heap_take_many(struct heap *heap, unsigned size_class, void **blocks,
                                 uint32_t count)
{
  remote_read_inbox(heap);
  uint32_t taken = 0;
  while (taken < count) {
    if (taken > 0 && list_is_empty(&heap->queue[size_class])) break;
    blocks[taken] = heap_take_from_page(heap, size_class, NULL);
    if (blocks[taken] == NULL) break;
    taken++;
  }
  return taken;
}

// ---------------------------------------------------------------------------------------------
// Closed pages.

INTERNAL void heap_close_page(struct heap *heap, struct page *page)
{
  unqueue(heap, page);
  page_bitmap_close(page);
}

INTERNAL void heap_open_page(struct heap *heap, struct page *page)
{
  page_bitmap_open(page);
  heap_page_posted(heap, page);  // of frees that have come in meanwhile
}

// ---------------------------------------------------------------------------------------------
// Giving back.

// Returns memory that a page which stays does not use. (Blocks are carved inside the heap only, so
// what lies behind them is nobody's meanwhile.)
static size_t purge_page(struct page *page)
{
  size_t bytes = page_kind(page) == PAGE_BITMAP ? page_bitmap_purge(page) : 0;
  return bytes + page_purge_rest(page);
}

INTERNAL void heap_settle(struct heap *heap)
{
  if (TUNING_HAS_LISTS) {
    (void)heap_collect(heap, true, false);
  } else {
    heap_empty_bins(heap);
    remote_read_inbox(heap);
  }
}

INTERNAL size_t heap_collect(struct heap *heap, bool bins, bool purges)
{
  size_t bytes = 0;
  if (bins) heap_empty_bins(heap);
  remote_read_inbox(heap);
  atomic_store_explicit(&heap->may_hold_unused, false, memory_order_relaxed);
  struct list *next;
  for (struct list *at = heap->pages.next; at != &heap->pages; at = next) {
    next = at->next;
    struct page *page = CONTAINER_OF(at, struct page, chain);
    policy_verify_listed(heap, page);
    if (purges) bytes += purge_page(page);
    if ((page->flags & PAGE_IS_CLOSED) != 0) continue;
    if (page_is_unused(page)) {
      release_page(heap, page);
    } else if (page_has_free(page)) {
      heap_queue(heap, page);
    }
  }
  return bytes;
}

INTERNAL void heap_give_pages(struct heap *from, struct heap *to)
{
  while (!list_is_empty(&from->pages)) {
    struct page *page = CONTAINER_OF(from->pages.next, struct page, chain);
    policy_verify_listed(from, page);
    remove_page(from, page);
    add_page(to, page);
    if (page_has_free(page)) heap_queue(to, page);
    if (page_is_unused(page)) {
      atomic_store_explicit(&to->may_hold_unused, true, memory_order_relaxed);
    }
  }
}

// Takes a page of a heap that ends away from it. A thread that is late with its notice of a free
// may post it this very moment: then the inbox is read again. (In the child of a fork that thread
// may not exist; such a page is left behind.)
static void discard_page(struct heap *heap, struct page *page)
{
  bool is_retired = page_retire(page);
  for (int i = 0; i < TUNING_POST_PATIENCE && !is_retired; i++) {
    os_sleep_ms(0);
    remote_read_inbox(heap);
    if (page_heap(page) != heap) return;  // it was unused, and has been given back
    is_retired = page_retire(page);
  }
  remove_page(heap, page);
  if (is_retired) {
    give_page(heap, page, false);
  } else {
    atomic_store_explicit(&page->heap, NULL, memory_order_release);
  }
}

INTERNAL void heap_free_all(struct heap *heap)
{
  heap->keeps_unused = false;
  remote_read_inbox(heap);
  while (!list_is_empty(&heap->pages)) {
    struct page *page = CONTAINER_OF(heap->pages.next, struct page, chain);
    policy_verify_listed(heap, page);
    discard_page(heap, page);
  }
  for (unsigned i = 1; i < BIN_COUNT; i++) (void)bin_empty(&heap->bins[i]);
  policy_forget_all(heap);
  atomic_store_explicit(&heap->may_hold_unused, false, memory_order_relaxed);
  heap->keeps_unused = true;
}
