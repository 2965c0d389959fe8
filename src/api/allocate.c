// SPDX-License-Identifier: MIT
#include "api/allocate.h"

#include <errno.h>
#include <string.h>

#include "api/extent.h"
#include "api/init.h"
#include "api/tracking.h"
#include "base/fatal.h"
#include "base/options.h"
#include "base/sealed.h"
#include "base/wipe.h"
#include "core/chunk.h"
#include "core/large.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "mend/mend.h"
#include "numa/bound.h"
#include "os/memory.h"
#include "os/sealed.h"
#include "secure/vault.h"
#include "track/dump.h"

static struct {
  mend_out_of_memory_function function;
  void *argument;
} SEALED_PAGES out_of_memory SEALED;

void mend_set_out_of_memory(mend_out_of_memory_function function, void *argument)
{
  if (!os_sealed_open()) return;
  out_of_memory.function = function;
  out_of_memory.argument = argument;
  os_sealed_close();
}

static bool hook_wants_retry(size_t size)
{
  if (out_of_memory.function == NULL || os_thread_notes.is_in_hook) return false;
  os_thread_notes.is_in_hook = true;
  bool is_retry = out_of_memory.function(size, out_of_memory.argument);
  os_thread_notes.is_in_hook = false;
  return is_retry;
}

INTERNAL void allocate_count_slow_call(void)
{
  _Atomic(uint32_t) *calls = &heap_current->slow_calls;  // those without a heap share heap_empty's
  uint32_t before = atomic_load_explicit(calls, memory_order_relaxed);
  bool is_time = before + 1 >= TUNING_SLOW_CALLS_PER_TICK;
  atomic_store_explicit(calls, is_time ? 0 : before + 1, memory_order_relaxed);
  dump_serve();
  if (!is_time) return;
  upkeep_tick();
  if (options.profile_growth > 0) dump_look_at_growth(chunk_statistics().used_bytes);
}

static void *try_on_node(int node, size_t size, size_t alignment, int *error)
{
  static const int errors[] = {
      [OS_BIND_NO_NODE] = EINVAL, [OS_BIND_NO_MEMORY] = ENOMEM, [OS_BIND_REFUSED] = EPERM};
  enum os_bound outcome;
  void *block = bound_allocate(node, bits_larger(size, 1), alignment, &outcome);
  *error = errors[outcome];
  return block;
}

// One attempt. `size` is what the block has to hold, not more than PTRDIFF_MAX. *error tells why
// there is none.
static void *try_allocate(struct allocate_place place, size_t size, size_t alignment, bool *is_zero,
                          int *error)
{
  struct heap *heap = place.heap;
  struct heap *from = heap != NULL ? heap : registry_current();
  *error = ENOMEM;
  *is_zero = true;
  if (from == NULL || (heap != NULL && heap_is_barred(heap))) return NULL;
  if (place.node != PAGE_ANY_NODE) return try_on_node(place.node, size, alignment, error);
  size_t padded = size_class_padded(size, alignment);
  void *block;
  if (padded <= SIZE_CLASS_MAX_BYTES && alignment <= SLICE_BYTES) {
    block = heap_take(from, size_class_of(padded), is_zero);
  } else {
    block = large_allocate(heap, bits_larger(size, 1), alignment, is_zero);
  }
  allocate_count_slow_call();
  return block;
}

// Zeroes a new block. A very large one loses its memory instead: most of it may never be used.
static void clear(void *block, size_t size)
{
  if (EXTENT_IS_PLAIN && size >= TUNING_HUGE_BYTES) {
    os_memory_purge(block, bits_align_up(size, os_page_bytes()));
  } else {
    memset(block, 0, size);
  }
}

// A block that is guarded by itself, if this one is to be (hardened).
static void *try_guarded(struct allocate_place place, size_t size, size_t alignment)
{
  if (place.heap != NULL || place.node != PAGE_ANY_NODE) return NULL;
  return extent_allocate_guarded(size, alignment, place.kind);
}

INTERNAL void *allocate_at(struct allocate_place place, size_t size, size_t alignment,
                           bool is_zeroed)
{
  if (UNLIKELY(size > BITS_MAX_SIZE - SLICE_BYTES || alignment > BITS_MAX_SIZE / 2 ||
               size > BITS_MAX_SIZE - alignment)) {
    errno = ENOMEM;
    return NULL;
  }
  init_once();
  int saved_errno = errno;
  bool is_zero;
  int error;
  void *one = try_guarded(place, size, alignment);
  errno = saved_errno;
  if (one != NULL) return one;
  if (size == 0 && place.heap == NULL && place.node == PAGE_ANY_NODE && alignment <= SLICE_BYTES) {
    place.heap = extent_heap_of_nothing();
  }
  size_t total = size + extent_extra_bytes();
  void *block = try_allocate(place, total, alignment, &is_zero, &error);
  if (UNLIKELY(block == NULL && error == ENOMEM)) {
    do {
      if (total > options.region) continue;  // it would not fit into an empty heap
      (void)upkeep_collect(true);            // also what the hook has freed
      one = try_guarded(place, size, alignment);
      errno = saved_errno;
      if (one != NULL) return one;
      block = try_allocate(place, total, alignment, &is_zero, &error);
    } while (block == NULL && error == ENOMEM && hook_wants_retry(size));
  }
  if (UNLIKELY(block == NULL)) return allocate_fail(error);
  if (UNLIKELY(tracking_is_on())) block = tracking_allocated(block, size, place.kind);
  if (!EXTENT_IS_PLAIN) {
    extent_open(page_first(page_at(block)), block, size, is_zeroed, place.kind, alignment);
  }
  if (is_zeroed && !is_zero && !extent_is_zeroed()) clear(block, size);
  errno = saved_errno;
  return block;
}

INTERNAL NOINLINE void *allocate(struct heap *heap, size_t size, size_t alignment, bool is_zeroed)
{
  struct allocate_place place = {heap, PAGE_ANY_NODE, KIND_MALLOC};
  return allocate_at(place, size, alignment, is_zeroed);
}

INTERNAL NOINLINE void *allocate_as(enum block_kind kind, size_t size, size_t alignment)
{
  return allocate_at((struct allocate_place){NULL, PAGE_ANY_NODE, kind}, size, alignment, false);
}

// ---------------------------------------------------------------------------------------------
// Pointers that are no blocks. Only what costs nothing is told of small blocks.

enum finding {
  MISUSE_FOREIGN,
  MISUSE_UNUSED,
  MISUSE_INSIDE,
  MISUSE_MISALIGNED,
  MISUSE_OBJECT,
  MISUSE_SECURE,
  MISUSE_COUNT
};

static const char *const misuse_messages[][MISUSE_COUNT] = {
    [USE_FREE] = {"free of a pointer that mend did not allocate",
                  "free of memory that is not in use", "free of a pointer inside a block",
                  "free of a misaligned pointer", "free of an object that has a handle",
                  "free of a secure block"},
    [USE_REALLOC] = {"realloc of a pointer that mend did not allocate",
                     "realloc of memory that is not in use", "realloc of a pointer inside a block",
                     "realloc of a misaligned pointer", "realloc of an object that has a handle",
                     "realloc of a secure block"},
    [USE_SIZE] = {"malloc_usable_size of a pointer that mend did not allocate",
                  "malloc_usable_size of memory that is not in use",
                  "malloc_usable_size of a pointer inside a block",
                  "malloc_usable_size of a misaligned pointer",
                  "malloc_usable_size of an object that has a handle",
                  "malloc_usable_size of a secure block"},
};

static NOINLINE void refuse(const void *pointer, enum allocate_use use)
{
  struct page *slice = page_around(pointer);
  enum finding misuse = MISUSE_UNUSED;
  if (vault_holds(pointer)) {
    misuse = MISUSE_SECURE;
  } else if (slice == NULL) {
    misuse = MISUSE_FOREIGN;
  } else if ((uintptr_t)pointer % 16 != 0) {
    misuse = MISUSE_MISALIGNED;
  } else if (heap_page_has_objects(page_first(slice))) {
    misuse = MISUSE_OBJECT;
  } else if (page_kind(page_first(slice)) == PAGE_LIST) {
    misuse = MISUSE_INSIDE;  // looked for under a checker only
  } else if (page_kind(page_first(slice)) == PAGE_BITMAP) {
    bool is_start = page_block_index(page_first(slice), pointer) != UINT32_MAX;
    misuse = is_start ? MISUSE_UNUSED : MISUSE_INSIDE;
  } else if (large_around(slice) != NULL) {
    misuse = MISUSE_INSIDE;
  }
  const char *message = misuse_messages[use][misuse];
  if (!tracking_misuse(message, pointer)) extent_misuse(message, pointer);
}

static bool is_live(struct page *page, const void *block, uint32_t index)
{
  if (!TUNING_HAS_LISTS) return extent_is_live(page, block);
  return heap_is_live(registry_own(), page, block, index);
}

INTERNAL struct page *allocate_page_of(const void *block, enum allocate_use use)
{
  struct page *slice = page_at(block);
  struct page *page = slice != NULL ? page_first(slice) : NULL;
  bool is_block = false;
  switch (page != NULL ? page_kind(page) : PAGE_NONE) {
  case PAGE_LIST:
    is_block =
        (EXTENT_IS_PLAIN && !page_is_tracked(page)) || page_block_index(page, block) != UINT32_MAX;
    break;
  case PAGE_LARGE:
    is_block = block == large_block(page) && !heap_page_has_objects(page);
    break;
  case PAGE_BITMAP: {
    uint32_t index = page_block_index(page, block);
    is_block = index != UINT32_MAX && !heap_page_has_objects(page) &&
               (use == USE_FREE || is_live(page, block, index));
    break;
  }
  case PAGE_NONE:
  case PAGE_FREE:
  case PAGE_INSIDE:
    break;
  }
  if (LIKELY(is_block)) return page;
  refuse(block, use);
  return NULL;
}

INTERNAL struct allocate_place allocate_place_of(struct page *page)
{
  struct heap *heap = page_heap(page);
  bool is_large = page_kind(page) == PAGE_LARGE;
  bool is_first_class = is_large ? heap != NULL : page->is_direct && extent_may_resize(page);
  return (struct allocate_place){is_first_class ? registry_serving(heap) : NULL,
                                 is_large ? bound_node(page) : PAGE_ANY_NODE, KIND_MALLOC};
}

// ---------------------------------------------------------------------------------------------

static void free_to_page(struct page *page, void *block)
{
  struct heap *own = registry_own();
  switch (page_kind(page)) {
  case PAGE_LIST:
    if (own == NULL || page->is_direct || heap_page_has_samples(page)) {
      remote_free(page, block);
    } else {
      heap_put(own, page, block);
    }
    break;
  case PAGE_BITMAP:
    heap_put_medium(own, page, block, page_block_index(page, block));
    break;
  default:
    if (!large_free(page)) refuse(block, USE_FREE);
  }
  allocate_count_slow_call();
}

INTERNAL void allocate_wipe(struct page *page, void *block, size_t kept)
{
  if (!extent_is_live(page, block)) return;
  size_t usable = extent_usable(page, block);
  if (usable > kept) wipe_memory((char *)block + kept, usable - kept);
}

static void free_of_page(void *block, const struct block_claim *claim)
{
  struct page *page = allocate_page_of(block, USE_FREE);
  if (page == NULL) return;
  if (UNLIKELY(page_is_tracked(page)) && !tracking_freed(page, block, claim)) return;
  struct block_claim whole = *claim;
  whole.wipes = claim->wipes || allocate_wipes(page);
  if (extent_close(page, block, &whole)) free_to_page(page, block);
}

INTERNAL NOINLINE void allocate_free(void *block, const struct block_claim *claim)
{
  if (block == NULL) return;
  int saved_errno = errno;
  if (extent_is_guarded(block)) {
    extent_free_guarded(block, claim);
  } else {
    free_of_page(block, claim);
  }
  errno = saved_errno;
}

INTERNAL NOINLINE void allocate_put_away(struct page *page, void *block)
{
  int saved_errno = errno;
  free_to_page(page, block);
  errno = saved_errno;
}
