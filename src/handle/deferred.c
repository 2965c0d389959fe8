// SPDX-License-Identifier: MIT
#include "handle/deferred.h"

#include "handle/info.h"
#include "handle/object.h"
#include "handle/scope.h"

// A chain is long enough when it weighs so much. An object weighs 1, and 1 for each 4 KiB.
#define CHAIN_WEIGHT 256

static void free_chain(struct handle_heap *heap, uint32_t chain)
{
  while (chain != 0) {
    uint32_t index = chain - 1;
    // Without the bit of somebody who is just finding that there is nothing to pin any more.
    chain = atomic_load_explicit(handle_table_info(&heap->table, index), memory_order_relaxed) &
            ~INFO_PINNED;
    object_free_entry(index, entry_load(handle_table_entry(&heap->table, index)));
  }
}

// The chain that waits, if its time has come, else 0. The lock is held.
static uint32_t take_ripe(struct deferred *deferred)
{
  if (deferred->waiting == 0 || !scope_is_past(deferred->epoch)) return 0;
  uint32_t chain = deferred->waiting;
  deferred->waiting = 0;
  return chain;
}

// The filled chain starts to wait, if none does. The lock is held.
static void start_waiting(struct deferred *deferred)
{
  if (deferred->waiting != 0) return;
  // acquire: pairs with push_index, so that the links are seen
  uint32_t chain = atomic_exchange_explicit(&deferred->filling, 0, memory_order_acquire);
  if (chain == 0) return;
  deferred->epoch = scope_advance();
  deferred->waiting = chain;
}

static void push_index(struct handle_heap *heap, uint32_t index)
{
  _Atomic(uint32_t) *filling = &heap->deferred.filling;
  _Atomic(uint32_t) *info = handle_table_info(&heap->table, index);
  uint32_t first = atomic_load_explicit(filling, memory_order_relaxed);
  do {
    // release: pairs with info_load of a mover that has announced the object
    atomic_store_explicit(info, first, memory_order_release);
    // release: pairs with start_waiting
  } while (!atomic_compare_exchange_weak_explicit(filling, &first, index + 1, memory_order_release,
                                                  memory_order_relaxed));
}

INTERNAL void deferred_add(struct handle_heap *heap, uint32_t index, size_t block_bytes)
{
  struct deferred *deferred = &heap->deferred;
  uint32_t weight = 1 + (uint32_t)bits_smaller(block_bytes >> 12, CHAIN_WEIGHT);
  push_index(heap, index);
  uint32_t before = atomic_fetch_add_explicit(&deferred->added, weight, memory_order_relaxed);
  bool is_long = before / CHAIN_WEIGHT != (before + weight) / CHAIN_WEIGHT;
  if (!is_long || !os_lock_try(&deferred->lock)) return;
  uint32_t ripe = take_ripe(deferred);
  start_waiting(deferred);
  os_lock_release(&deferred->lock);
  free_chain(heap, ripe);
}

INTERNAL void deferred_flush(struct handle_heap *heap)
{
  struct deferred *deferred = &heap->deferred;
  if (!os_lock_try(&deferred->lock)) return;
  uint32_t before = take_ripe(deferred);
  start_waiting(deferred);
  uint32_t now = take_ripe(deferred);
  os_lock_release(&deferred->lock);
  free_chain(heap, before);
  free_chain(heap, now);
}

// A chain that another thread was freeing at that moment, or about to let wait, is lost, and an
// object that it was about to add.
INTERNAL void deferred_after_fork(struct deferred *deferred)
{
  (void)os_lock_take_from_strangers(&deferred->lock);
}
