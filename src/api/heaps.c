// SPDX-License-Identifier: MIT
//
// First-class heaps. A mend_heap is a shared heap of the core under another name.
#include "api/allocate.h"
#include "api/extent.h"
#include "api/init.h"
#include "api/tracking.h"
#include "base/fatal.h"
#include "core/registry.h"
#include "mend/mend.h"

static struct heap *core_of(mend_heap *heap)
{
  return (struct heap *)(void *)heap;
}

// NULL, with errno set, if the heap was lost in a fork and there is no memory for another.
static void *allocate_in(mend_heap *heap, size_t size, size_t alignment, bool is_zeroed)
{
  if (heap == NULL) return allocate(NULL, size, alignment, is_zeroed);
  struct heap *serving = registry_serving(core_of(heap));
  if (serving == NULL) return allocate_fail(ENOMEM);
  return allocate(serving, size, alignment, is_zeroed);
}

static bool close_block(void *block, size_t usable_size, void *claim)
{
  (void)usable_size;
  (void)extent_close(page_first(page_at(block)), block, claim);
  return true;
}

mend_heap *mend_heap_create(void)
{
  init_once();
  struct heap *heap = registry_create();
  return heap != NULL ? (mend_heap *)(void *)heap : allocate_fail(ENOMEM);
}

void mend_heap_destroy(mend_heap *heap)
{
  if (heap == NULL) return;
  if (!registry_is_first_class(core_of(heap))) fatal("destroy of a heap that does not exist", heap);
  int saved_errno = errno;
  bool wipes = atomic_load_explicit(&core_of(heap)->wipes, memory_order_relaxed);
  struct block_claim claim = {.kind = KIND_ANY, .wipes = wipes};
  if (wipes || !EXTENT_IS_PLAIN) (void)mend_heap_visit(heap, close_block, &claim);
  tracking_forget_heap(core_of(heap));
  registry_destroy(core_of(heap));
  allocate_count_slow_call();
  errno = saved_errno;
}

void *mend_heap_malloc(mend_heap *heap, size_t size)
{
  return allocate_in(heap, size, NATURAL_ALIGNMENT, false);
}

void *mend_heap_zalloc(mend_heap *heap, size_t size)
{
  return allocate_in(heap, size, NATURAL_ALIGNMENT, true);
}

void *mend_heap_calloc(mend_heap *heap, size_t count, size_t size)
{
  size_t bytes;
  if (!bits_multiply(count, size, &bytes)) return allocate_fail(ENOMEM);
  return mend_heap_zalloc(heap, bytes);
}

void *mend_heap_aligned_alloc(mend_heap *heap, size_t alignment, size_t size)
{
  if (!bits_is_power_of_two(alignment)) return allocate_fail(EINVAL);
  return allocate_in(heap, size, bits_larger(alignment, NATURAL_ALIGNMENT), false);
}

void *mend_heap_realloc(mend_heap *heap, void *block, size_t size)
{
  return block == NULL ? mend_heap_malloc(heap, size) : mend_realloc(block, size);
}

bool mend_heap_owns(const mend_heap *heap, const void *pointer)
{
  struct page *page = heap != NULL ? allocate_page_around(pointer) : NULL;
  struct heap *owner = page != NULL ? page_heap(page) : NULL;
  struct heap *core = core_of((mend_heap *)(uintptr_t)heap);
  return owner != NULL && (owner == core || owner == registry_serving(core));
}

void mend_heap_collect(mend_heap *heap)
{
  if (heap == NULL) {
    mend_collect(false);
    return;
  }
  struct heap *core = registry_serving(core_of(heap));
  if (core == NULL || heap_is_barred(core)) return;
  int saved_errno = errno;
  heap_enter(core);
  (void)heap_collect(core, true, false);
  heap_leave(core);
  errno = saved_errno;
}

// ---------------------------------------------------------------------------------------------
// Visiting.

struct visit {
  mend_visit_function function;
  void *argument;
};

static bool visit_block(void *block, size_t block_bytes, void *argument)
{
  struct visit *visit = argument;
  struct page *page = page_first(page_at(block));
  (void)block_bytes;
  void *visible = tracking_visible(page, block);
  if (visible != block) page = page_first(page_at(visible));
  if (!extent_is_live(page, visible)) return true;
  return visit->function(visible, extent_usable_of_others(page, visible), visit->argument);
}

static bool visit_pages(struct heap *heap, struct visit *visit)
{
  for (struct list *at = heap->pages.next; at != &heap->pages; at = at->next) {
    if (!page_visit(CONTAINER_OF(at, struct page, chain), visit_block, visit)) return false;
  }
  for (struct list *at = heap->large.next; at != &heap->large; at = at->next) {
    struct page *page = CONTAINER_OF(at, struct page, chain);
    if (!visit_block(large_block(page), page->block_bytes, visit)) return false;
  }
  return true;
}

bool mend_heap_visit(mend_heap *heap, mend_visit_function function, void *argument)
{
  struct heap *core = heap != NULL ? registry_serving(core_of(heap)) : registry_own();
  if (core == NULL || heap_is_barred(core)) return true;
  heap_enter(core);
  (void)heap_collect(core, true, false);  // so that every free block is in its page
  bool is_finished = visit_pages(core, &(struct visit){function, argument});
  heap_leave(core);
  return is_finished;
}
