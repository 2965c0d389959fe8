// SPDX-License-Identifier: MIT
#include "core/large.h"

#include <string.h>

#include "base/fatal.h"
#include "base/options.h"
#include "core/chunk.h"
#include "core/mapping.h"
#include "core/policy.h"
#include "os/memory.h"

#define ATTEMPTS_TO_ENTER 4

// Every thread counts in its own heap what it allocates and frees, so that no two write to the same
// place; modulo 2^64 the sum over all heaps is what is live. Those without a heap share one.
static void count_large(size_t bytes, size_t blocks)
{
  struct heap *heap = heap_current;
  if (heap == &heap_empty) {
    atomic_fetch_add_explicit(&heap_empty.large_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&heap_empty.large_blocks, blocks, memory_order_relaxed);
    return;
  }
  size_t total = atomic_load_explicit(&heap->large_bytes, memory_order_relaxed);
  atomic_store_explicit(&heap->large_bytes, total + bytes, memory_order_relaxed);
  size_t count = atomic_load_explicit(&heap->large_blocks, memory_order_relaxed);
  atomic_store_explicit(&heap->large_blocks, count + blocks, memory_order_relaxed);
}

// What the block holds when `size` was asked for.
static size_t usable_for(size_t size)
{
  return bits_align_up(size, os_page_bytes());
}

// Slices for so many bytes; 0 if no address space could hold them.
static uint32_t slices_for(size_t bytes)
{
  size_t slices = (usable_for(bytes) + SLICE_BYTES - 1) >> SLICE_SHIFT;
  return slices > UINT32_MAX / 2 ? 0 : (uint32_t)slices;
}

INTERNAL void *large_block(const struct page *page)
{
  return page_start(page) + policy_lead_bytes(page);
}

// Asks for huge pages for the run of a block of this size, all of it, so that it is one mapping.
// (Only the whole huge pages inside the run can become such.)
static void advise_huge(struct page *page, size_t size)
{
  if (size < TUNING_HUGE_BYTES || !options.huge_pages) return;
  if (!page_is_bound(page) && ((page->flags & PAGE_IS_SPLIT) != 0 || !mapping_split(page))) return;
  (void)os_memory_advise_huge(page_start(page), page_run_bytes(page));
}

// The alignment in slices of a run for a block of this size.
static size_t run_alignment(size_t size, size_t alignment)
{
  size_t slices = alignment >> SLICE_SHIFT;
  size_t huge = size >= TUNING_HUGE_BYTES ? HUGE_PAGE_BYTES >> SLICE_SHIFT : 1;
  return bits_larger(slices, huge);
}

INTERNAL void large_attach(struct page *page, struct heap *heap)
{
  atomic_store_explicit(&page->heap, heap, memory_order_release);
  list_push_back(&heap->large, &page->chain);
  if (!TUNING_HAS_LISTS && page->words != NULL) policy_seal(page);
}

static void attach_to_heap(struct page *page, struct heap *heap)
{
  if (heap == NULL) return;
  heap_enter(heap);
  large_attach(page, heap);
  heap_leave(heap);
}

// A heap that was given up is never walked again: its list may stay as it is.
static void detach_from_heap(struct page *page)
{
  struct heap *heap = page_heap(page);
  if (heap == NULL) return;
  policy_verify_heap(heap, page);
  if (heap->is_given_up) return;
  heap_enter(heap);
  list_remove(&page->chain);
  heap_leave(heap);
  atomic_store_explicit(&page->heap, NULL, memory_order_release);
}

// *held_bytes (may be NULL): how much memory it may hold already.
static struct page *take_page(const struct page_source *source, struct page_request request,
                              size_t size, size_t alignment, bool is_object, bool *is_zero,
                              size_t *held_bytes)
{
  struct policy_guards guards = policy_choose_guards(is_object, alignment);
  uint32_t slices = slices_for(guards.lead_bytes + size + guards.tail_bytes);
  size_t run = run_alignment(size, alignment);
  if (slices == 0 || run > UINT32_MAX / 4) return NULL;
  struct page *page = source->take(source, slices, (uint32_t)run, request, is_zero);
  if (page == NULL) return NULL;
  if (held_bytes != NULL) *held_bytes = *is_zero ? 0 : page->block_bytes;
  page->source = source;
  page->is_rest_purged = *is_zero || guards.tail_bytes > 0;  // there is a guard
  page_init(page, PAGE_LARGE, slices, usable_for(size), *is_zero);
  if (POLICY_FREE_IS_ZERO) *is_zero = true;
  atomic_store_explicit(&page->heap, NULL, memory_order_release);
  if (!policy_open_large(page, guards)) {
    page_set_kind(page, PAGE_NONE);
    source->give(source, page);
    return NULL;
  }
  count_large(page->block_bytes, 1);
  if (request.node == PAGE_ANY_NODE) advise_huge(page, size);
  return page;
}

INTERNAL enum os_bound large_bind(struct page *page, size_t size, int node)
{
  // Pages that are there already would move, but perhaps not all of them can.
  if (!mapping_renew(page)) os_memory_purge(page_start(page), page_run_bytes(page));
  page->node = (uint32_t)node;
  policy_guard_large(page);  // once more: the guards were renewed as well
  enum os_bound bound = mapping_bind(page, node);
  if (bound == OS_BOUND) advise_huge(page, size);
  if (!TUNING_HAS_LISTS && page->words != NULL) policy_seal(page);
  return bound;
}

INTERNAL struct page *large_take(struct heap *heap, size_t size, size_t alignment, bool *is_zero)
{
  bool is_clean;
  const struct page_source *source = heap != NULL ? heap->source : &chunk_source;
  struct page_request any = {PAGE_ANY_NODE, 0};
  struct page *page = take_page(source, heap != NULL ? heap->request : any, size, alignment,
                                heap != NULL && heap->has_objects, &is_clean, NULL);
  if (page == NULL) return NULL;
  if (is_zero != NULL) *is_zero = is_clean;
  return page;
}

INTERNAL void *large_allocate(struct heap *heap, size_t size, size_t alignment, bool *is_zero)
{
  struct page *page = large_take(heap, size, alignment, is_zero);
  if (page == NULL) return NULL;
  attach_to_heap(page, heap);
  return large_block(page);
}

// Claims the block for being freed: one of two racing frees wins.
static bool claim(struct page *page)
{
  uint32_t expected = PAGE_LARGE;
  return atomic_compare_exchange_strong(&page->kind, &expected, PAGE_NONE);
}

static void give_back(struct page *page)
{
  count_large(-page->block_bytes, (size_t)-1);
  page = policy_retire_large(page);
  if (page != NULL) page->source->give(page->source, page);
}

INTERNAL void large_let_go(void)
{
  struct page *page;
  while ((page = policy_let_go_large()) != NULL) page->source->give(page->source, page);
}

INTERNAL void large_collect(struct heap *heap)
{
  // acquire: pairs with free_unhurried
  struct page *page = atomic_exchange_explicit(&heap->large_freed, NULL, memory_order_acquire);
  while (page != NULL) {
    struct page *next = atomic_load_explicit(&page->inbox_next, memory_order_relaxed);
    list_remove(&page->chain);
    atomic_store_explicit(&page->heap, NULL, memory_order_release);
    give_back(page);
    page = next;
  }
}

// Nobody who frees an object waits: a mover may have been stopped inside of the heap, where it
// measures and gives back.
static void free_unhurried(struct page *page, struct heap *heap)
{
  struct page *first = atomic_load_explicit(&heap->large_freed, memory_order_relaxed);
  do {
    atomic_store_explicit(&page->inbox_next, first, memory_order_relaxed);
    // release: pairs with large_collect
  } while (!atomic_compare_exchange_weak_explicit(&heap->large_freed, &first, page,
                                                  memory_order_release, memory_order_relaxed));
  for (int i = 0; i < ATTEMPTS_TO_ENTER; i++) {
    if (atomic_load_explicit(&heap->large_freed, memory_order_relaxed) == NULL) return;
    if (heap_try_enter(heap)) {
      large_collect(heap);
      heap_leave(heap);
      return;
    }
    os_thread_yield();
  }
}

INTERNAL bool large_free(struct page *page)
{
  struct heap *heap = page_heap(page);
  if (heap != NULL && !heap->is_given_up && heap_is_barred(heap)) {
    // A signal handler frees a block of a heap that its thread is inside of: it stays until the
    // heap ends.
    return page_kind(page) == PAGE_LARGE;
  }
  if (!claim(page)) return false;
  if (heap != NULL && heap->has_objects && !heap->is_given_up) {
    free_unhurried(page, heap);
    return true;
  }
  detach_from_heap(page);
  give_back(page);
  return true;
}

INTERNAL void large_free_all(struct heap *heap)
{
  large_collect(heap);
  while (!list_is_empty(&heap->large)) {
    struct page *page = CONTAINER_OF(heap->large.next, struct page, chain);
    list_remove(&page->chain);
    if (!claim(page)) fatal("heap destroyed while in use", heap);
    atomic_store_explicit(&page->heap, NULL, memory_order_release);
    give_back(page);
  }
}

// The block shrinks: whole slices go back, and the os pages behind its end.
static void shrink(struct page *page, size_t usable)
{
  uint32_t slices = (uint32_t)((usable + SLICE_BYTES - 1) >> SLICE_SHIFT);
  if (POLICY_FREE_IS_ZERO) {
    os_memory_purge(page_start(page) + usable, page_run_bytes(page) - usable);
  }
  if (slices < page->slices) page->source->shorten(page->source, page, slices);
  size_t end = bits_smaller(page->block_bytes, slices_to_bytes(slices));
  if (end > usable) os_memory_purge(page_start(page) + usable, end - usable);
}

// Into the guard behind it, and the slices behind that.
static bool grow_between_guards(struct page *page, size_t usable)
{
  struct policy_guards guards = policy_choose_guards(false, os_page_bytes());
  uint32_t slices = slices_for(policy_lead_bytes(page) + usable + guards.tail_bytes);
  if (slices == 0) return false;
  if (slices > page->slices) {
    bool is_zero;
    if (!page->source->extend(page->source, page, slices, &is_zero)) return false;
  }
  return policy_open_more(page, usable);
}

// What a block between guards loses becomes guard; its run stays as long as it is, so one that
// loses more than half is copied.
static bool resize_between_guards(struct page *page, size_t size)
{
  size_t usable = usable_for(size), held = page->block_bytes;
  if (page_is_bound(page) || usable < held / 2) return false;
  if (usable <= held && held - usable < bits_smaller(held / 8, SLICE_BYTES)) return true;
  bool is_resized = usable < held || grow_between_guards(page, usable);
  if (is_resized) {
    count_large(usable - held, 0);
    chunk_set_block_bytes(page, usable);
  }
  policy_guard_large(page);
  if (usable < held && (page->flags & PAGE_HAS_GUARD) == 0) {
    os_memory_purge((char *)large_block(page) + usable, held - usable);
  }
  policy_seal(page);
  return is_resized;
}

INTERNAL bool large_resize(struct page *page, size_t size)
{
  if (policy_is_surrounded(page)) return resize_between_guards(page, size);
  size_t usable = usable_for(size);
  uint32_t slices = slices_for(size);
  if (slices == 0) return false;
  if (slices > page->slices) {
    bool is_zero;
    if (page_is_bound(page)) return false;  // what is behind it is not
    if (!page->source->extend(page->source, page, slices, &is_zero)) return false;
  } else if (usable < page->block_bytes) {
    // Not worth a system call.
    if (page->block_bytes - usable < page->block_bytes / 8) return true;
    shrink(page, usable);
  }
  count_large(usable - page->block_bytes, 0);
  chunk_set_block_bytes(page, usable);
  return true;
}

// Whether the kernel has refused a move. It did so after it had unmapped the target: it is not
// asked again.
static _Atomic(bool) moves_are_refused;

// A block's run that is not mapped any more, and cannot be: it stays in use, and nobody gets it.
static void withdraw(struct page *page)
{
  count_large(-page->block_bytes, (size_t)-1);
  page_set_kind(page, PAGE_NONE);
}

// Whether a run to which a block's contents have been copied, perhaps over fresh mappings, is bound
// as it was. If it cannot be, they go back and the run is freed.
static bool is_bound_again(struct page *from, struct page *to)
{
  if (!page_is_bound(to) || mapping_bind(to, (int)to->node) == OS_BOUND) return true;
  memcpy(page_start(from), page_start(to), from->block_bytes);
  large_free(to);
  return false;
}

// Brings a block's contents to a run that reads as zero; what is left behind reads as zero and
// holds nothing if the kernel has moved them. False if they are still where they were, and the run
// is gone.
static bool carry_over(struct page *from, struct page *to)
{
  bool may_move = !atomic_load_explicit(&moves_are_refused, memory_order_relaxed);
  if (!may_move || !mapping_move(to, from, from->block_bytes)) {
    memcpy(page_start(to), page_start(from), from->block_bytes);
    return true;
  }
  switch (os_memory_move(page_start(from), page_start(to), from->block_bytes)) {
  case OS_MOVED:
    if (mapping_renew(from)) chunk_set_untouched(from);
    break;
  case OS_COPIED:
    return is_bound_again(from, to);
  case OS_REFUSED:
    atomic_store_explicit(&moves_are_refused, true, memory_order_relaxed);
    withdraw(to);
    return false;
  }
  return true;
}

// Over memory that is there already it is cheaper to copy than to move: the kernel would throw that
// memory away, and the next user of the old place would have to ask for it again. But what is dirty
// need not hold much: parts may be clean, and parts may never have been touched.
static bool is_worth_copying(const struct page *to, size_t held_bytes, size_t bytes)
{
  return held_bytes >= bytes / 2 && os_memory_resident_bytes(page_start(to), bytes) >= bytes / 2;
}

// A run to move a block to, bound where the block is; NULL if there is no memory.
static struct page *take_target(struct page *page, size_t size, bool *is_zero, size_t *held_bytes)
{
  struct heap *heap = page_heap(page);
  struct page_request any = {PAGE_ANY_NODE, 0};
  struct page_request request = heap != NULL ? heap->request : any;
  if (page_is_bound(page)) request.node = (int)page->node;
  struct page *to = take_page(page->source, request, size, SLICE_BYTES, false, is_zero, held_bytes);
  if (to == NULL || !page_is_bound(page)) return to;
  if (large_bind(to, size, (int)page->node) != OS_BOUND) {
    large_free(to);
    return NULL;
  }
  *is_zero = true;
  *held_bytes = 0;
  return to;
}

INTERNAL void *large_move(struct page *page, size_t size)
{
  bool is_worth_moving = TUNING_HAS_LISTS && page->block_bytes >= TUNING_MOVE_BYTES;
  if (!is_worth_moving || page->source != &chunk_source) return NULL;
  struct heap *heap = page_heap(page);
  // Nobody will ever get into a heap that was given up; the caller copies, to the one that serves.
  if (heap != NULL && heap_is_barred(heap)) return NULL;
  bool is_clean;
  size_t held;
  struct page *to = take_target(page, size, &is_clean, &held);
  if (to == NULL) return NULL;
  if (is_worth_copying(to, held, page->block_bytes)) {
    memcpy(page_start(to), page_start(page), page->block_bytes);
  } else {
    if (!is_clean) os_memory_purge(page_start(to), page->block_bytes);
    if (!carry_over(page, to)) return NULL;
  }
  large_free(page);
  attach_to_heap(to, heap);
  return page_start(to);
}

static bool is_inside_large(struct page *page, const struct page *slice)
{
  return page_kind(page) == PAGE_LARGE && page <= slice && slice < page + page->slices;
}

INTERNAL struct page *large_around(struct page *slice)
{
  static _Atomic(struct page *) found_last;  // a guess: whoever copies into a block does so again
  struct page *last = atomic_load_explicit(&found_last, memory_order_relaxed);
  if (last != NULL && is_inside_large(last, slice)) return last;
  for (struct page *at = slice; at >= region.pages; at--) {
    enum page_kind kind = page_kind(at);
    if (kind == PAGE_NONE) continue;
    if (!is_inside_large(at, slice)) return NULL;
    atomic_store_explicit(&found_last, at, memory_order_relaxed);
    return at;
  }
  return NULL;
}
