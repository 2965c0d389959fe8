// SPDX-License-Identifier: MIT
//
// The handle table of a heap: the entries of all its handles in one flat array, and beside it their
// infos in another. The arrays grow where they are and never move, so that an index is a place.
//
// Free entries are chained through themselves. Each lane (handle_heap.h) has a pool of them, from
// which it takes inside of the lane, while any thread gives back without a lock. A pool that is
// empty gets those of a leaf, which is an os page of infos and the two of entries to them: of one
// that has free entries besides live ones, as the last sweep has found, the lowest first; else of
// one that was given back, or a fresh one.
//
// A leaf without a live entry can be given back to the kernel: then its entries read as zero, which
// matches no handle, and its floor says with which generation they start again, so that handles
// from before stay stale. The table's own floor does the same for the heap that gets the slot next.
// An entry whose generations are used up is never used again.
#ifndef HANDLE_HANDLE_TABLE_H
#define HANDLE_HANDLE_TABLE_H

#include "handle/entry.h"
#include "os/memory.h"

// What resolving a handle needs of the table of its slot.
struct handle_space {
  _Atomic(uint64_t) *entries;  // both written before `count` is first
  _Atomic(uint32_t) *infos;
  _Atomic(uint32_t) count;  // entries below this are accessible
};

INTERNAL_DATA struct handle_space handle_spaces[HANDLE_SLOTS];

struct leaf {
  uint32_t floor;       // generation of its entries that read as zero
  uint32_t next;        // the next leaf of a chain, + 1
  uint32_t first;       // its free entries that are in no pool, chained, + 1
  uint32_t free_count;  // how many
};

struct handle_table {
  struct handle_space *space;
  struct os_range entry_range;
  struct os_range info_range;
  struct os_range leaf_range;
  struct os_lock lock;               // protects the next seven
  size_t entry_bytes;                // accessible
  size_t info_bytes;                 // accessible
  size_t leaf_bytes;                 // accessible
  uint32_t next_leaf;                // from here on never handed out
  uint32_t sparse;                   // chain of leaves with free entries in no pool, + 1
  uint32_t spare;                    // chain of leaves that were given back, + 1
  uint32_t floor;                    // of leaves that were never handed out
  _Atomic(uint32_t) returned;        // more of those in `spare`, added without the lock
  _Atomic(uint32_t) returned_count;  // how many leaves hold no memory
  _Atomic(uint32_t) top_generation;  // no entry has a higher one
};

// Free entries at a lane's disposal.
struct index_pool {
  struct handle_table *table;
  uint32_t first;             // chain of free entries, + 1 (inside the lane)
  uint32_t fresh, fresh_end;  // of a leaf: entries that read as zero (inside the lane)
  uint32_t fresh_generation;
  _Atomic(uint32_t) freed;  // chain of free entries given back since, + 1
};

// The table of a slot, empty; false if there is no address space.
INTERNAL bool handle_table_open(struct handle_table *table, uint32_t slot);
// Makes every handle stale and gives all memory back. False if the slot must not be used again.
INTERNAL bool handle_table_close(struct handle_table *table);

INTERNAL void index_pool_init(struct index_pool *pool, struct handle_table *table);
// Takes a free entry: false if there is no memory. Inside the lane.
INTERNAL bool index_pool_take(struct index_pool *pool, uint32_t *index, uint32_t *generation);
// Gives an entry back, which is FREE with its new generation already. Any thread, no lock.
INTERNAL void index_pool_give(struct index_pool *pool, uint32_t index, uint32_t generation);

// A sweep gives leaves without a live entry back to the kernel, and lets the free entries of others
// be used by every lane: otherwise those of objects that have moved would gather in one pool, while
// another takes fresh leaves. Four steps, by one thread at a time: detaching what the table and
// every pool have, the latter inside of the lane; sorting each chain by leaf; and the sweep itself,
// which says how many bytes went.
INTERNAL void handle_table_detach(struct handle_table *table);
INTERNAL void index_pool_detach(struct index_pool *pool, uint32_t chains[2]);
INTERNAL void handle_table_sort(struct handle_table *table, uint32_t chain);
INTERNAL size_t handle_table_sweep(struct handle_table *table);

// Entries and infos that may hold memory, and how many bytes those are.
INTERNAL size_t handle_table_resident_entries(struct handle_table *table);
INTERNAL size_t handle_table_resident_bytes(struct handle_table *table);
// The sum of what the function says of each of its accessible stretches.
typedef size_t (*handle_table_measure)(void *argument, uintptr_t from, uintptr_t to);
INTERNAL size_t handle_table_measured(struct handle_table *table, handle_table_measure measure,
                                      void *argument);
// Of a table that nobody changes meanwhile.
INTERNAL void handle_table_assert_valid(struct handle_table *table);
// In the child of a fork. The first: a thread that may have been in the four steps is no more; free
// entries that are in no pool are lost.
INTERNAL void handle_table_forget_sweep(struct handle_table *table);
INTERNAL void handle_table_after_fork(struct handle_table *table);

static inline _Atomic(uint64_t) *handle_table_entry(const struct handle_table *table,
                                                    uint32_t index)
{
  return &table->space->entries[index];
}

static inline _Atomic(uint32_t) *handle_table_info(const struct handle_table *table, uint32_t index)
{
  return &table->space->infos[index];
}

// The info of a handle that has an entry.
static inline _Atomic(uint32_t) *handle_info(uint64_t handle)
{
  return &handle_spaces[handle_slot(handle)].infos[handle_index(handle)];
}

// The entry that a handle points at, or NULL if there is none.
static inline _Atomic(uint64_t) *handle_entry(uint64_t handle)
{
  struct handle_space *space = &handle_spaces[handle_slot(handle)];
  uint32_t index = handle_index(handle);
  // acquire: pairs with take_fresh
  if (UNLIKELY(index >= atomic_load_explicit(&space->count, memory_order_acquire))) return NULL;
  return &space->entries[index];
}

#endif
