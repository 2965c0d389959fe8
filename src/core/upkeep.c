// SPDX-License-Identifier: MIT
#include "core/upkeep.h"

#include "base/options.h"
#include "core/chunk.h"
#include "core/large.h"
#include "core/registry.h"
#include "os/system.h"

static _Atomic(uint32_t) ticked_ms;  // when the last tick began
// Gives back what the heap has no use for, if there is such and nobody is inside.
static void tend(struct heap *heap)
{
  bool has_mail = atomic_load_explicit(&heap->inbox, memory_order_relaxed) != NULL;
  bool has_unused = atomic_load_explicit(&heap->may_hold_unused, memory_order_relaxed);
  if ((!has_mail && !has_unused) || !registry_may_enter(heap)) return;
  if (heap == heap_current) {
    heap_enter(heap);
  } else if (!heap_try_enter(heap)) {
    return;
  }
  (void)heap_collect(heap, false, false);
  heap_leave(heap);
}

static uint32_t tick_interval_ms(void)
{
  return (uint32_t)bits_larger(options.purge_delay / 4, 1);
}

// Empties the calling thread's bins now and then: blocks that lie there keep their pages.
static void tidy_own(uint32_t now)
{
  struct heap *heap = heap_current;
  if (heap == &heap_empty || now - heap->tidied_ms < options.purge_delay) return;
  heap->tidied_ms = now;
  if (heap_is_barred(heap)) return;
  heap_enter(heap);
  (void)heap_collect(heap, true, false);
  heap_leave(heap);
}

INTERNAL void upkeep_tick(void)
{
  uint32_t now = os_clock_ms();
  tidy_own(now);
  uint32_t last = atomic_load_explicit(&ticked_ms, memory_order_relaxed);
  if (now - last < tick_interval_ms()) return;
  if (!atomic_compare_exchange_strong(&ticked_ms, &last, now)) return;
  for (int i = 0; i < TUNING_OWNERS_PER_TICK; i++) (void)registry_inherit_next();
  struct heap *heap = NULL;
  while ((heap = registry_next(heap)) != NULL) tend(heap);
  chunk_tick(now);
}

static void collect_one(struct heap *heap, void *argument)
{
  size_t *bytes = argument;
  bool may_take_lists = heap == heap_current || heap_owner(heap) == OWNER_SHARED;
  *bytes += heap_collect(heap, may_take_lists, true);
}

INTERNAL size_t upkeep_collect(bool all)
{
  size_t bytes = 0;
  if (registry_next(NULL) == NULL) return 0;  // it has not started
  struct heap *own = registry_own();
  if (own != NULL && heap_is_barred(own)) return 0;
  if (own != NULL) {
    heap_enter(own);
    bytes = heap_collect(own, true, all);
    heap_leave(own);
  }
  if (all) {
    struct heap *heap = NULL;
    while ((heap = registry_next(heap)) != NULL) (void)registry_inherit(heap);
    registry_each(collect_one, &bytes);
    large_let_go();
  }
  return bytes;
}
