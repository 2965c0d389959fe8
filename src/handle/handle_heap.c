// SPDX-License-Identifier: MIT
#include "handle/handle_heap.h"

#include "base/annotate.h"
#include "core/chunk.h"
#include "core/large.h"
#include "core/metadata.h"
#include "core/registry.h"
#include "handle/defrag.h"
#include "handle/mover.h"
#include "handle/object.h"
#include "handle/scope.h"
#include "os/system.h"
#include "track/remember.h"

#define YIELDS_BEFORE_SLEEP 100
#define USES_OF_A_LANE 64

static _Atomic(struct handle_heap *) heaps[HANDLE_SLOTS];
static struct os_lock heaps_lock;  // taken to make and end heaps

INTERNAL struct handle_heap *handle_heap_at(uint32_t slot)
{
  struct handle_heap *heap = atomic_load_explicit(&heaps[slot], memory_order_acquire);
  return heap != NULL && atomic_load(&heap->state) == SLOT_TAKEN ? heap : NULL;
}

// ---------------------------------------------------------------------------------------------
// Lanes.

static void init_lane(struct lane *lane, struct handle_heap *heap, bool is_still)
{
  heap_init(&lane->blocks, OWNER_SHARED, &chunk_source);
  lane->blocks.has_objects = true;
  lane->blocks.self = &lane->blocks;
  index_pool_init(&lane->indices, &heap->table);
  lane->heap = heap;
  lane->is_still = is_still;
}

// The lane of a number; makes it if need be. NULL if there is no memory.
static struct lane *lane_number(struct handle_heap *heap, uint32_t number)
{
  // acquire: pairs with the exchange below
  struct lane *lane = atomic_load_explicit(&heap->lanes[number], memory_order_acquire);
  if (LIKELY(lane != NULL)) return lane;
  struct lane *made = metadata_allocate(sizeof *made);
  if (made == NULL) return NULL;
  init_lane(made, heap, number >= HANDLE_LANES);
  if (atomic_compare_exchange_strong(&heap->lanes[number], &lane, made)) return made;
  made->blocks.self = NULL;
  metadata_free(made, sizeof *made);
  return lane;
}

// Goes into a lane that nobody is inside of; NULL if there is none. *exists: there is one at all.
static struct lane *try_lanes(struct handle_heap *heap, bool is_still, bool *exists)
{
  uint32_t first = is_still ? HANDLE_LANES : 0;
  uint32_t count = is_still ? HANDLE_STILL_LANES : HANDLE_LANES;
  uint8_t *last = &os_thread_notes.last_lane[is_still];
  *exists = false;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t number = (*last + i) % count;
    struct lane *lane = lane_number(heap, first + number);
    if (lane == NULL) continue;
    *exists = true;
    if (!heap_try_enter(&lane->blocks)) continue;
    *last = (uint8_t)number;
    return lane;
  }
  return NULL;
}

INTERNAL struct lane *lane_enter(struct handle_heap *heap, bool is_still)
{
  bool exists;
  // Back to the first lane now and then: somebody may only have looked at it, and its free blocks
  // are nobody's as long as no thread comes.
  if (++os_thread_notes.lane_uses % USES_OF_A_LANE == 0) os_thread_notes.last_lane[is_still] = 0;
  struct lane *lane = try_lanes(heap, is_still, &exists);
  for (uint32_t round = 0; lane == NULL && exists; round++) {
    // For whichever is left first: a mover may have been stopped inside of any one.
    if (round < YIELDS_BEFORE_SLEEP) {
      os_thread_yield();
    } else {
      os_sleep_us(50);
    }
    lane = try_lanes(heap, is_still, &exists);
  }
  return lane;
}

INTERNAL bool lane_enter_number(struct handle_heap *heap, uint32_t number, struct lane **lane)
{
  *lane = atomic_load_explicit(&heap->lanes[number], memory_order_acquire);
  if (*lane == NULL) return false;
  heap_enter(&(*lane)->blocks);
  STEP(STEP_INSIDE_LANE);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Making heaps.

// Opens the heap of a slot, which nobody uses. The lock is held.
static struct handle_heap *open_slot(uint32_t slot)
{
  struct handle_heap *heap = atomic_load_explicit(&heaps[slot], memory_order_relaxed);
  bool is_new = heap == NULL;
  if (is_new) heap = metadata_allocate(sizeof *heap);
  if (heap == NULL) return NULL;
  heap->slot = slot;
  if (!handle_table_open(&heap->table, slot)) {
    if (is_new) metadata_free(heap, sizeof *heap);
    return NULL;
  }
  atomic_store_explicit(&heap->state, SLOT_TAKEN, memory_order_relaxed);
  atomic_store_explicit(&heaps[slot], heap, memory_order_release);  // handle_heap_at
  return heap;
}

static bool is_free(uint32_t slot)
{
  struct handle_heap *heap = atomic_load_explicit(&heaps[slot], memory_order_relaxed);
  return heap == NULL || atomic_load(&heap->state) == SLOT_FREE;
}

INTERNAL struct handle_heap *handle_heap_default(void)
{
  struct handle_heap *heap = handle_heap_at(0);
  if (LIKELY(heap != NULL)) return heap;
  os_lock_acquire(&heaps_lock);
  heap = handle_heap_at(0);
  if (heap == NULL) heap = open_slot(0);
  os_lock_release(&heaps_lock);
  return heap;
}

INTERNAL struct handle_heap *handle_heap_create(void)
{
  struct handle_heap *heap = NULL;
  os_lock_acquire(&heaps_lock);
  uint32_t slot = 1;
  while (slot < HANDLE_SLOTS && !is_free(slot)) slot++;
  if (slot < HANDLE_SLOTS) heap = open_slot(slot);
  os_lock_release(&heaps_lock);
  return heap;
}

// ---------------------------------------------------------------------------------------------
// Ending heaps.

static bool forget_block(void *block, size_t block_bytes, void *unused)
{
  (void)unused;
  annotate_object_free(block, block_bytes);
  return true;
}

// Tells checkers that the blocks are no longer the user's.
static void forget_blocks(struct heap *blocks)
{
  for (struct list *at = blocks->pages.next; at != &blocks->pages; at = at->next) {
    (void)page_visit(CONTAINER_OF(at, struct page, chain), forget_block, NULL);
  }
  for (struct list *at = blocks->large.next; at != &blocks->large; at = at->next) {
    struct page *page = CONTAINER_OF(at, struct page, chain);
    forget_block(page_start(page), page->block_bytes, NULL);
  }
}

INTERNAL void handle_heap_destroy(struct handle_heap *heap)
{
  struct lane *lane;
  os_lock_acquire(&heap->mover_lock);
  mover_destroy(heap);
  evacuation_open_strays(heap);
  for (uint32_t i = 0; i < HANDLE_ALL_LANES; i++) {
    if (!lane_enter_number(heap, i, &lane)) continue;
    if (ANNOTATE_ACTIVE) forget_blocks(&lane->blocks);
    remember_heap_end(&lane->blocks);
    large_free_all(&lane->blocks);
    heap_free_all(&lane->blocks);
    index_pool_init(&lane->indices, &heap->table);
    lane_leave(lane);
  }
  pin_table_clear(&heap->pins);
  heap->deferred = (struct deferred){0};
  bool is_usable = handle_table_close(&heap->table);
  os_lock_release(&heap->mover_lock);
  atomic_store(&heap->state, is_usable ? SLOT_FREE : SLOT_WORN_OUT);
}

INTERNAL void handle_heap_each_lane(void (*function)(struct heap *blocks, void *argument),
                                    void *argument)
{
  struct lane *lane;
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    for (uint32_t i = 0; heap != NULL && i < HANDLE_ALL_LANES; i++) {
      if (!lane_enter_number(heap, i, &lane)) continue;
      function(&lane->blocks, argument);
      lane_leave(lane);
    }
  }
}

INTERNAL size_t handle_heap_collect(struct handle_heap *heap, bool purges)
{
  size_t bytes = 0;
  struct lane *lane;
  for (uint32_t i = 0; i < HANDLE_ALL_LANES; i++) {
    if (!lane_enter_number(heap, i, &lane)) continue;
    bytes += heap_collect(&lane->blocks, true, purges);
    large_collect(&lane->blocks);
    lane_leave(lane);
  }
  return bytes;
}

INTERNAL void handle_collect(void)
{
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap == NULL) continue;
    deferred_flush(heap);
    (void)handle_heap_collect(heap, true);
  }
}

// ---------------------------------------------------------------------------------------------
// Fork. A lane that another thread was inside of is given up: its objects stay valid and can be
// freed, but nothing is made in it any more, and nothing moves.

static void lanes_after_fork(struct handle_heap *heap)
{
  for (uint32_t i = 0; i < HANDLE_ALL_LANES; i++) {
    struct lane *lane = atomic_load(&heap->lanes[i]);
    if (lane == NULL || !os_gate_is_strangers(&lane->blocks.gate)) continue;
    lane->blocks.is_given_up = true;
    heap->has_given_up = true;
    atomic_store(&heap->lanes[i], NULL);
  }
}

static struct os_lock start_lock;

static void handle_fork_child(void)
{
  transfer_after_fork(scope_after_fork());
  object_types_after_fork();
  (void)os_lock_take_from_strangers(&start_lock);
  defrag_after_fork();
  (void)os_lock_take_from_strangers(&heaps_lock);
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = atomic_load(&heaps[slot]);
    if (heap == NULL) continue;
    handle_table_after_fork(&heap->table);
    pin_table_after_fork(&heap->pins);
    deferred_after_fork(&heap->deferred);
    lanes_after_fork(heap);
    mover_after_fork(heap);
  }
}

INTERNAL void handle_register_forks(void)
{
  (void)os_on_fork(transfer_before_fork, transfer_after_fork_in_parent, handle_fork_child);
}

INTERNAL bool handle_start(void)
{
  static _Atomic(bool) has_started;
  if (LIKELY(atomic_load_explicit(&has_started, memory_order_acquire))) return true;
  if (!registry_init()) return false;
  os_lock_acquire(&start_lock);
  if (!atomic_load_explicit(&has_started, memory_order_relaxed)) {
    scope_init();
    atomic_store_explicit(&has_started, true, memory_order_release);
  }
  os_lock_release(&start_lock);
  return true;
}
