// SPDX-License-Identifier: MIT
#include "api/exact.h"

#include "api/allocate.h"
#include "api/tracking.h"
#include "core/heap.h"
#include "core/sampling.h"
#include "track/tracker.h"

// Whether a heap's second bins hold what exact mode has put there.
static bool is_exact(const struct heap *heap, uint32_t state)
{
  return sampling_mode_of(state) == SAMPLING_EXACT && heap->bins_state == state;
}

// Records a block of a list page that was taken in a state; else it is recorded the long way.
static inline bool record_soon(struct page *page, void *block, size_t size, enum block_kind kind,
                               uintptr_t frame, uint32_t state)
{
  if (UNLIKELY(page_bin_offset(page) != 0 || !page_is_tracked(page))) return false;
  exact_clear_remains(page, block, size);
  if (UNLIKELY(!tracker_add_exact(page, block, size, kind, frame))) return false;
  // The mode may have ended, or begun anew, meanwhile: see remember_block.
  if (UNLIKELY(sampling_state() != state)) tracker_withdraw(page, block);
  return true;
}

INTERNAL NOINLINE void *exact_allocate(size_t size, enum block_kind kind)
{
  struct heap *heap = heap_current;
  uint32_t state = sampling_state();
  struct block *block = NULL;
  bool is_small = size <= SIZE_CLASS_SMALL_BYTES;
  if (LIKELY(is_small && is_exact(heap, state))) block = bin_take(heap_freed_bin_for(heap, size));
  if (UNLIKELY(block == NULL)) return allocate_as(kind, size, KIND_NATURAL_ALIGNMENT);
  struct page *page = page_first(page_of_units(page_units(block)));
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  if (LIKELY(record_soon(page, block, size, kind, frame, state))) return block;
  return tracking_allocated(block, size, kind);
}

INTERNAL NOINLINE void exact_free(struct page *slice, void *block, const struct block_claim *claim)
{
  struct heap *heap = heap_current;
  struct page *page = page_first(slice);
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  heap_refused(heap, slice);
  bool is_ordinary = is_exact(heap, sampling_state()) && page_kind(page) == PAGE_LIST &&
                     !page->is_direct && !claim->wipes;
  if (UNLIKELY(!is_ordinary || !tracker_remove_exact(page, block, claim, frame))) {
    allocate_free(block, claim);
    return;
  }
  struct bin *bin = heap_freed_bin(heap, page->size_class);
  if (LIKELY(bin_put(bin, block))) return;
  bin_refused(bin);
  allocate_put_away(page, block);
}
