// SPDX-License-Identifier: MIT
#include "api/exact.h"

#include "api/allocate.h"
#include "api/tracking.h"
#include "core/heap.h"
#include "core/sampling.h"
#include "track/tracker.h"
#include "track/tracker_exact.h"

// Whether a heap's second bins hold what exact mode has put there: they were filled in this state,
// and the front has seen that mode. (If it has ended since, there are no rows.)
static inline bool is_exact(const struct heap *heap, uint32_t state)
{
  return heap->bins_state == state;
}

// ---------------------------------------------------------------------------------------------
// Allocations.

// Records a block that was taken from a bin. Ends the call.
static INLINE_ALWAYS bool record_soon(struct tracker_call call, void *block, size_t size,
                                      enum block_kind kind, uint32_t ms)
{
  uint64_t units = page_units(block);
  struct page *page = page_of_units(units);
  if (UNLIKELY(page_bin_offset(page) != 0 || !page_is_tracked(page))) {
    thread_state_leave(call.state);
    return false;
  }
  exact_clear_remains(page, block, size);
  return tracker_add_exact(call, page, units, size, kind, ms);
}

// The mode may have ended, or begun anew, while a block was recorded: see remember_block.
static NOINLINE void *withdraw_block(void *block)
{
  tracker_withdraw(page_at(block), block);
  return block;
}

static INLINE_ALWAYS struct block *take(size_t size, uint32_t state)
{
  struct heap *heap = heap_current;
  bool is_small = size <= SIZE_CLASS_SMALL_BYTES;
  return LIKELY(is_small && is_exact(heap, state)) ? bin_take(heap_freed_bin_for(heap, size))
                                                   : NULL;
}

// For want of a stack that is known, perhaps. (What this function returns to, and where that is
// kept, is the same as of who has jumped here.)
static NOINLINE void *allocate_anew(size_t size, enum block_kind kind, uint32_t state)
{
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  struct block *block = take(size, state);
  if (UNLIKELY(block == NULL)) return allocate_as(kind, size, KIND_NATURAL_ALIGNMENT);
  struct tracker_call call = tracker_enter_anew(frame, false);
  if (call.walk == NULL || !record_soon(call, block, size, kind, tracker_clock_ms())) {
    return tracking_allocated(block, size, kind);
  }
  return LIKELY(sampling_state() == state) ? block : withdraw_block(block);
}

INTERNAL NOINLINE void *exact_allocate(size_t size, enum block_kind kind)
{
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  uint32_t ms = tracker_clock_ms();
  struct tracker_call call = tracker_enter(frame, false);
  uint32_t state = sampling_state();
  if (UNLIKELY(call.walk == NULL)) return allocate_anew(size, kind, state);
  struct block *block = take(size, state);
  if (UNLIKELY(block == NULL)) {
    thread_state_leave(call.state);
    return allocate_as(kind, size, KIND_NATURAL_ALIGNMENT);
  }
  if (UNLIKELY(!record_soon(call, block, size, kind, ms))) {
    return tracking_allocated(block, size, kind);
  }
  return LIKELY(sampling_state() == state) ? block : withdraw_block(block);
}

// ---------------------------------------------------------------------------------------------
// Frees.

// Ends the record's life of a block that is to go into a bin of this heap. Ends the call.
static INLINE_ALWAYS bool forget_soon(struct tracker_call call, const struct heap *heap,
                                      struct page *page, void *block,
                                      const struct block_claim *claim)
{
  bool is_ordinary = is_exact(heap, sampling_state()) && page_kind(page) == PAGE_LIST &&
                     !page->is_direct && !claim->wipes;
  if (LIKELY(is_ordinary)) return tracker_remove_exact(call, page, page_units(block), claim);
  thread_state_leave(call.state);
  return false;
}

static NOINLINE void put_away(struct bin *bin, struct page *page, void *block)
{
  bin_refused(bin);
  allocate_put_away(page, block);
}

static INLINE_ALWAYS void put_soon(struct heap *heap, struct page *page, void *block)
{
  struct bin *bin = heap_freed_bin(heap, page->size_class);
  if (UNLIKELY(!bin_put(bin, block))) put_away(bin, page, block);
}

// See allocate_anew.
static NOINLINE void free_anew(struct page *page, void *block, const struct block_claim *claim)
{
  struct heap *heap = heap_current;
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  struct tracker_call call = tracker_enter_anew(frame, true);
  if (call.walk != NULL && forget_soon(call, heap, page, block, claim)) {
    put_soon(heap, page, block);
  } else {
    allocate_free(block, claim);
  }
}

INTERNAL NOINLINE void exact_free(struct page *slice, void *block, const struct block_claim *claim)
{
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  struct heap *heap = heap_current;
  bin_refused(&heap->bins[0]);
  struct tracker_call call = tracker_enter(frame, true);
  if (UNLIKELY(call.walk == NULL)) {
    free_anew(slice, block, claim);
    return;
  }
  if (LIKELY(forget_soon(call, heap, slice, block, claim))) {
    put_soon(heap, slice, block);
  } else {
    allocate_free(block, claim);
  }
}
