// SPDX-License-Identifier: MIT
#include "api/tracking.h"

#include <errno.h>
#include <string.h>

#include "api/allocate.h"
#include "api/exact.h"
#include "api/extent.h"
#include "api/init.h"
#include "api/misuse_file.h"
#include "base/options.h"
#include "core/block_link.h"
#include "core/chunk.h"
#include "core/large.h"
#include "core/registry.h"
#include "mend/track.h"
#include "secure/misuse.h"
#include "track/dump.h"
#include "track/remember.h"
#include "track/site_table.h"
#include "track/thread_state.h"
#include "track/tracker.h"

static struct os_lock switching;  // held by who changes the mode

// ---------------------------------------------------------------------------------------------
// Allocations.

// What a twin holds meanwhile: where its sample is, in a way that nobody takes for a reference.
static struct block *disguised(const void *sample)
{
  return (struct block *)~(uintptr_t)sample;  // NOLINT: no address
}

// A sample in place of a small block, which becomes its twin; that block if there is no memory.
static void *exchange(struct page *page, void *twin, size_t size)
{
  struct heap *heap = sampling_heap();
  void *sample = heap != NULL ? heap_take(heap, page->size_class, NULL) : NULL;
  if (sample == NULL) return twin;
  struct page *of_sample = page_first(page_at(sample));
  block_set_next(twin, disguised(sample));
  page_set_tracked(of_sample);
  if (tracker_add(of_sample, sample, size, twin, KIND_ANY)) {
    sampling_count_twin(page->size_class, 1);
    return sample;
  }
  remote_free(of_sample, sample);
  return twin;
}

INTERNAL NOINLINE void *tracking_allocated(void *block, size_t size, enum block_kind kind)
{
  uint32_t state = sampling_state();
  bool takes_sample = os_thread_notes.takes_sample;
  os_thread_notes.takes_sample = false;
  struct page *page = page_first(page_at(block));
  if (sampling_mode_of(state) == SAMPLING_EXACT) {
    if (UNLIKELY(page_bin_offset(page) != 0))
      page_set_bin_offset(page, 0);  // its heap was given up
    if (EXTENT_IS_PLAIN && page_kind(page) == PAGE_LIST) exact_clear_remains(page, block, size);
  } else if (page_kind(page) == PAGE_LIST && !page->is_direct) {
    return takes_sample ? exchange(page, block, size) : block;
  }
  remember_if_due(page, block, size, kind, state);
  return block;
}

// ---------------------------------------------------------------------------------------------
// Frees.

static const struct os_stack *stack_of(uint32_t number, struct os_stack *stack)
{
  if (number == 0) return NULL;
  const struct site *site = site_of(number);
  stack->count = bits_smaller(site->depth, OS_STACK_DEPTH);
  memcpy(stack->addresses, site->addresses, stack->count * sizeof stack->addresses[0]);
  return stack;
}

// The caller's stack, without this library's own frames where they are known; NULL: it cannot be
// told.
static const struct os_stack *stack_of_caller(struct os_stack *stack)
{
  struct os_stack_bounds bounds = {0};
  struct os_stack_trace trace;
  trace.depth = 0;
  os_stack_walk(&bounds, &trace, (uintptr_t)__builtin_frame_address(0), OS_STACK_DEPTH);
  stack->count = trace.count;
  memcpy(stack->addresses, trace.addresses, trace.count * sizeof trace.addresses[0]);
  return stack->count > 0 ? stack : NULL;
}

// Tells of a misuse, with what is known of the block.
static void tell_misuse(const char *what, const void *pointer, size_t block_bytes,
                        const struct tracker_block *known, const struct block_claim *claim)
{
  struct os_stack allocation, release, caller;
  const struct misuse misuse = {
      .what = what,
      .pointer = pointer,
      .block = known->block,
      .block_bytes = block_bytes,
      .size = known->size,
      .kind = known->kind,
      .claim = claim,
      .allocation_thread = thread_state_kernel_number(known->thread),
      .free_thread = thread_state_kernel_number(known->free_thread),
      .allocation_stack = stack_of(known->stack, &allocation),
      .free_stack = stack_of(known->free_stack, &release),
      .stack = stack_of_caller(&caller),
  };
  misuse_write(&misuse);
  if (options.leaks) misuse_file_write(&misuse, known);
  misuse_end();
}

INTERNAL NOINLINE bool tracking_misuse(const char *what, const void *pointer)
{
  if (sampling_mode() != SAMPLING_EXACT) return false;
  struct page *page = page_of_blocks(pointer);
  struct tracker_block known = {0};
  bool is_known =
      page != NULL ? tracker_look(page, pointer, &known) : tracker_look_past(pointer, &known);
  if (!is_known) known = (struct tracker_block){0};
  tell_misuse(what, pointer, known.block_bytes, &known, NULL);
  return true;
}

// What a free says of a block that is remembered.
static void judge_claim(const struct page *page, const struct tracker_block *known,
                        const struct block_claim *claim)
{
  struct block_claim own = *claim;
  if (known->kind == KIND_ANY) own.kind = KIND_ANY;
  const char *wrong = claim_refusal(&own, known->kind, known->size, claim->alignment);
  if (wrong != NULL) tell_misuse(wrong, known->block, page->block_bytes, known, claim);
}

INTERNAL NOINLINE bool tracking_freed(struct page *page, void *block,
                                      const struct block_claim *claim)
{
  struct tracker_block known;
  bool is_exact = sampling_mode() == SAMPLING_EXACT;
  if (tracker_remove(page, block, &known)) {
    if (is_exact && known.weight == 0) judge_claim(page, &known, claim);
    if (known.twin == NULL) return true;
    struct page *of_twin = page_first(page_at(known.twin));
    sampling_count_twin(of_twin->size_class, -1);
    allocate_put_away(of_twin, known.twin);
    return true;
  }
  if (is_exact && tracker_look(page, block, &known) && known.block == block && !known.is_live) {
    tell_misuse("double free", block, page->block_bytes, &known, NULL);
    return false;
  }
  if (!heap_page_has_samples(page)) return true;
  extent_misuse("double free", block);
  return false;
}

// ---------------------------------------------------------------------------------------------
// Changes.

INTERNAL NOINLINE void *tracking_move(struct page *page, void *block, size_t size)
{
  // The old place may be another block's before it is known whether there is a new one.
  struct tracker_block known;
  bool is_known = page->block_bytes >= TUNING_MOVE_BYTES && page_is_tracked(page) &&
                  tracker_look(page, block, &known) && known.is_live;
  uint32_t state = sampling_state();
  if (is_known) is_known = tracker_remove(page, block, &known);
  void *moved = large_move(page, size);
  if (moved != NULL && tracking_is_on()) return tracking_allocated(moved, size, KIND_MALLOC);
  if (moved == NULL && is_known && sampling_mode_of(state) != SAMPLING_OFF) {
    (void)remember_block(page, block, known.size, known.kind, state);
  }
  return moved;
}

INTERNAL void tracking_forget_heap(struct heap *heap)
{
  struct heap *serving = registry_serving(heap);
  if (sampling_state() == 0 || serving == NULL || heap_is_barred(serving)) return;
  heap_enter(serving);
  remember_heap_end(serving);
  heap_leave(serving);
}

INTERNAL void *tracking_visible(struct page *page, void *block)
{
  bool may_be_twin = page_kind(page) == PAGE_LIST && !page->is_direct;
  if (!may_be_twin || sampling_state() == 0) return block;
  void *sample = disguised(block_next(block));
  struct page *slice = page_at(sample);
  if (slice == NULL || page_kind(slice) != PAGE_LIST || !heap_page_has_samples(slice)) return block;
  struct tracker_block known;
  bool is_twin = tracker_look(slice, sample, &known) && known.is_live && known.twin == block;
  return is_twin ? sample : block;
}

// ---------------------------------------------------------------------------------------------
// Modes. The tracker is ready before the first block is recorded, and ends after the last.

static void end_tracking(void)
{
  if (dump_can_wait() && sampling_stop()) tracker_stop();
}

// Whoever is refused finds all as it was: so that is asked first. (A tracker that was on once has
// its tables.)
static bool begin_tracking(size_t interval)
{
  bool is_exact = interval == MEND_PROFILE_EXACT;
  if (interval == 0) interval = (size_t)options.profile_interval;
  if (!dump_can_wait() || !sampling_can_start()) {
    errno = EBUSY;
    return false;
  }
  if (tracking_is_on()) end_tracking();
  interval = bits_smaller(interval, SAMPLING_INTERVAL_MOST);
  if (!tracker_start(is_exact ? TRACKER_EXACT : TRACKER_SAMPLED, is_exact ? 1 : interval)) {
    errno = ENOMEM;
    return false;
  }
  // What the tracker counts samples by, which may be another interval if there have been many.
  return is_exact ? sampling_start(SAMPLING_EXACT, 1)
                  : sampling_start(SAMPLING_SAMPLED, tracker_interval_bytes());
}

INTERNAL bool tracking_start(size_t interval_bytes)
{
  init_once();
  int saved_errno = errno;
  if (!TUNING_HAS_LISTS) {
    errno = ENOTSUP;
    return false;
  }
  if (os_lock_is_mine(&switching)) {  // below a signal handler
    errno = EBUSY;
    return false;
  }
  os_lock_acquire(&switching);
  bool is_started = begin_tracking(interval_bytes);
  os_lock_release(&switching);
  if (is_started) errno = saved_errno;
  return is_started;
}

INTERNAL void tracking_stop(void)
{
  if (os_lock_is_mine(&switching)) return;
  os_lock_acquire(&switching);
  end_tracking();
  os_lock_release(&switching);
}

// The thread that was about to change the mode is not there.
static void forget_switching(void)
{
  if (os_lock_take_from_strangers(&switching)) end_tracking();
}

INTERNAL void tracking_register_forks(void)
{
  (void)os_on_fork(NULL, NULL, forget_switching);
}
