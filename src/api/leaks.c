// SPDX-License-Identifier: MIT
//
// mend/track.h: leaks. What the leak check (track/leak.h) cannot know of the layers between: which
// words are handles, which objects live, which blocks are counted objects, which lie alone.
#include "api/leaks.h"

#include <errno.h>
#include <string.h>

#include "api/init.h"
#include "handle/handle_heap.h"
#include "handle/info.h"
#include "mend/smart.h"
#include "mend/track.h"
#include "os/snapshot.h"
#include "track/leak.h"
#include "track/leak_roots.h"
#ifdef MEND_HARDENED
#include "secure/guarded.h"
#endif

// ---------------------------------------------------------------------------------------------
// In the frozen copy.

static uintptr_t object_of_word(uint64_t word)
{
  if (!handle_is_made(word)) return 0;
  _Atomic(uint64_t) *entry = handle_entry(word);
  if (entry == NULL) return 0;
  uint64_t value = entry_load(entry);
  return entry_is_named(value, word) ? (uintptr_t)entry_block(value) : 0;
}

// A block of a counted object begins with what its head says of its kind.
static uintptr_t counted_in_block(uintptr_t block, size_t bytes)
{
  uint64_t kind;
  if (bytes < sizeof(struct mend_rc_head)) return 0;
  if (os_snapshot_copy(&kind, (const void *)block, sizeof kind) != sizeof kind) return 0;
  if ((kind & MEND_RC_MARK_BITS) != MEND_RC_MARK) return 0;
  uint64_t offset = UINT64_C(1) << (kind >> 48 & 63);
  return offset < bytes ? block + offset : 0;
}

static void add_live_objects(struct heap_view *view, const struct handle_heap *heap)
{
  uint32_t count = atomic_load_explicit(&heap->table.space->count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t entry = entry_load(handle_table_entry(&heap->table, i));
    if (entry_state(entry) != ENTRY_FREE) heap_view_add_object(view, entry_block(entry));
  }
}

static void set_sizes_of_objects(struct lost *lost, const struct handle_heap *heap)
{
  uint32_t count = atomic_load_explicit(&heap->table.space->count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t entry = entry_load(handle_table_entry(&heap->table, i));
    if (entry_state(entry) == ENTRY_FREE) continue;
    const char *block = entry_block(entry);
    uint32_t info = info_load(handle_table_info(&heap->table, i));
    lost_set_bytes(lost, (uintptr_t)block, info_object_bytes(info, page_of_block(block)));
  }
}

static void set_object_sizes(struct lost *lost)
{
  for (uint32_t slot = 0; slot < HANDLE_SLOTS && lost->count > 0; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap != NULL) set_sizes_of_objects(lost, heap);
  }
}

#ifdef MEND_HARDENED
static void add_guarded_block(const struct guarded_slot *slot, void *view)
{
  if (slot->state == GUARDED_LIVE) heap_view_add_lone(view, slot->block, slot->size);
}

static uint32_t count_lone_blocks(void)
{
  return (uint32_t)guarded_live_count();
}
#else
static uint32_t count_lone_blocks(void)
{
  return 0;
}
#endif

static void add_knowable_blocks(struct heap_view *view)
{
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap != NULL) add_live_objects(view, heap);
  }
#ifdef MEND_HARDENED
  guarded_slots_each(add_guarded_block, view);
#endif
}

enum { OURS_OF_A_TABLE = 3 };

static void add_our_tables(struct roots *roots)
{
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    const struct handle_heap *heap = handle_heap_at(slot);
    if (heap == NULL) continue;
    const struct handle_table *table = &heap->table;
    roots_add_ours(roots, table->entry_range.start, table->entry_bytes);
    roots_add_ours(roots, table->info_range.start, table->info_bytes);
    roots_add_ours(roots, table->leaf_range.start, table->leaf_bytes);
  }
#ifdef MEND_HARDENED
  roots_add_ours(roots, guarded_extent.start,
                 atomic_load_explicit(&guarded_extent.bytes, memory_order_acquire));
#endif
}

static const struct leak_knowledge leak_knowledge = {
    .handle = object_of_word,
    .counted = counted_in_block,
    .count_lone = count_lone_blocks,
    .add_blocks = add_knowable_blocks,
    .add_ours = add_our_tables,
    .set_sizes = set_object_sizes,
    .ours_count = HANDLE_SLOTS * OURS_OF_A_TABLE + 1,
};

// ---------------------------------------------------------------------------------------------
// In the process itself.

static void sum_up_leaks(const struct leak_result *result, struct mend_leaks *summary)
{
  struct mend_leaks all = {
      .bytes = summary->bytes,
      .direct_count = result->lost[LOST_DIRECT].count,
      .direct_bytes = result->lost[LOST_DIRECT].bytes,
      .indirect_count = result->lost[LOST_INDIRECT].count,
      .indirect_bytes = result->lost[LOST_INDIRECT].bytes,
      .cycle_count = result->lost[LOST_CYCLE].count,
      .cycle_bytes = result->lost[LOST_CYCLE].bytes,
      .handle_count = result->lost[LOST_HANDLE].count,
      .handle_bytes = result->lost[LOST_HANDLE].bytes,
      .rc_cycle_count = result->lost[LOST_RC_CYCLE].count,
      .rc_cycle_bytes = result->lost[LOST_RC_CYCLE].bytes,
      .reached_count = result->reached.count,
      .reached_bytes = result->reached.bytes,
      .pause_ns = (size_t)result->pause_ns,
      .check_ns = (size_t)result->total_ns,
      .unparked_count = result->unparked,
  };
  memcpy(summary, &all, bits_smaller(summary->bytes, sizeof all));
}

// The frame of the caller, and of who called that, are in use; this one is not.
static NOINLINE bool check_from_here(struct mend_leaks *summary, int descriptor, bool is_exit)
{
  struct leak_result result;
  struct leak_plan plan = {
      .knowledge = &leak_knowledge,
      .stack = (uintptr_t)__builtin_frame_address(0),
      .descriptor = descriptor,
      .is_exit = is_exit,
  };
  if (!leak_check(&plan, &result)) return false;
  if (summary != NULL) sum_up_leaks(&result, summary);
  return true;
}

INTERNAL NOINLINE bool leaks_check(struct mend_leaks *summary, int descriptor, bool is_exit)
{
  int saved_errno = errno;
  __builtin_unwind_init();  // what the callers have in registers is on the stack from here on
  init_once();
  if (summary != NULL && summary->bytes < sizeof summary->bytes) {
    errno = EINVAL;
    return false;
  }
  bool is_done = check_from_here(summary, descriptor, is_exit);
  if (is_done) errno = saved_errno;
  return is_done;
}

bool mend_leak_check(struct mend_leaks *summary, int descriptor)
{
  return leaks_check(summary, descriptor, false);
}

bool mend_leak_ignore(const void *block)
{
  init_once();
  return leak_roots_add(block, 0);
}

bool mend_leak_unignore(const void *block)
{
  return leak_roots_remove(block, 0);
}

bool mend_leak_root_add(const void *start, size_t bytes)
{
  if (bytes == 0 || bytes % 8 != 0 || (uintptr_t)start % 8 != 0) {
    errno = EINVAL;
    return false;
  }
  init_once();
  return leak_roots_add(start, bytes);
}

bool mend_leak_root_remove(const void *start, size_t bytes)
{
  if (bytes > 0) return leak_roots_remove(start, bytes);
  errno = ENOENT;
  return false;
}

INTERNAL void leaks_register_forks(void)
{
  // Fails for lack of memory only: then a child of a fork during a check cannot check itself.
  (void)os_on_fork(NULL, NULL, leak_after_fork);
}
