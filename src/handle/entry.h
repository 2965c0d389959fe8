// SPDX-License-Identifier: MIT
//
// The entry of a handle, and the handle: two words of the same make.
//
//   entry   | address / 16, from the region's start: 41 | generation: 21 | state: 2 |
//   handle  | slot: 9 | index: 32                        | generation: 21 | 3        |
//
// They agree in their low 23 bits when the handle names the object and nobody is moving it, which
// is the one comparison that resolving takes. An entry that has never been used is all zero, and so
// is one whose table page was given back; generation 0 is never given out, so no handle matches it.
//
//              allocate                  announce               strict mode, types
//      FREE ------------> LIVE --------------------------> MOVING --------------> COPYING
//       ^                 | ^ ^                             | | |                    |
//       |      free       | | +--[a reader: veto; the mover: roll back]              |
//       +-----------------+ +---------[the mover: commit, new address]---------------+
//       +--------------[free, while moving: the commit fails]
//
// Only a mover sets MOVING and COPYING, and one mover at a time is at work in a heap. A FREE entry
// keeps its address while its block is in use (deferred.h), and then holds the number of the next
// free one (handle_table.h).
#ifndef HANDLE_ENTRY_H
#define HANDLE_ENTRY_H

#include "core/page.h"
#include "handle/step.h"

enum entry_state { ENTRY_FREE = 0, ENTRY_MOVING = 1, ENTRY_COPYING = 2, ENTRY_LIVE = 3 };

#define ENTRY_STATE_MASK UINT64_C(3)
#define ENTRY_GENERATION_SHIFT 2
#define ENTRY_ADDRESS_SHIFT 23
#define ENTRY_LOW_MASK ((UINT64_C(1) << ENTRY_ADDRESS_SHIFT) - 1)
#define ENTRY_GENERATION_MAX ((UINT32_C(1) << 21) - 1)
#define HANDLE_INDEX_SHIFT 23
#define HANDLE_SLOT_SHIFT 55
#define HANDLE_SLOTS 512

static inline uint64_t entry_make(const void *block, uint32_t generation, enum entry_state state)
{
  return ((uintptr_t)block - region.start) >> 4 << ENTRY_ADDRESS_SHIFT |
         (uint64_t)generation << ENTRY_GENERATION_SHIFT | (uint64_t)state;
}

static inline uint64_t entry_make_free(uint32_t next, uint32_t generation)
{
  return (uint64_t)next << ENTRY_ADDRESS_SHIFT | (uint64_t)generation << ENTRY_GENERATION_SHIFT;
}

static inline void *entry_block(uint64_t entry)
{
  return (void *)(region.start + (entry >> ENTRY_ADDRESS_SHIFT << 4));
}

static inline uint32_t entry_next(uint64_t entry)
{
  return (uint32_t)(entry >> ENTRY_ADDRESS_SHIFT);
}

static inline enum entry_state entry_state(uint64_t entry)
{
  return (enum entry_state)(entry & ENTRY_STATE_MASK);
}

static inline uint32_t entry_generation(uint64_t entry)
{
  return (uint32_t)(entry >> ENTRY_GENERATION_SHIFT) & ENTRY_GENERATION_MAX;
}

static inline uint64_t entry_with_state(uint64_t entry, enum entry_state state)
{
  return (entry & ~ENTRY_STATE_MASK) | (uint64_t)state;
}

static inline uint64_t handle_make(uint32_t slot, uint32_t index, uint32_t generation)
{
  return (uint64_t)slot << HANDLE_SLOT_SHIFT | (uint64_t)index << HANDLE_INDEX_SHIFT |
         (uint64_t)generation << ENTRY_GENERATION_SHIFT | ENTRY_LIVE;
}

static inline uint32_t handle_slot(uint64_t handle)
{
  return (uint32_t)(handle >> HANDLE_SLOT_SHIFT);
}

static inline uint32_t handle_index(uint64_t handle)
{
  return (uint32_t)(handle >> HANDLE_INDEX_SHIFT);
}

// Whether a handle has the low bits that all handles have.
static inline bool handle_is_made(uint64_t handle)
{
  return (handle & ENTRY_STATE_MASK) == ENTRY_LIVE;
}

// Whether the entry is the handle's, LIVE, and not being moved.
static inline bool entry_is_settled(uint64_t entry, uint64_t handle)
{
  // One comparison: handle_is_made is the second half.
  return (((entry ^ handle) & ENTRY_LOW_MASK) | (~handle & ENTRY_STATE_MASK)) == 0;
}

// Whether it is the handle's, and there is an object.
static inline bool entry_is_named(uint64_t entry, uint64_t handle)
{
  return ((entry ^ handle) & ENTRY_LOW_MASK & ~ENTRY_STATE_MASK) == 0 &&
         entry_state(entry) != ENTRY_FREE && handle_is_made(handle);
}

static inline uint64_t entry_load(_Atomic(uint64_t) *entry)
{
  STEP(STEP_ENTRY_LOAD);
  // acquire: pairs with the release of whoever wrote the object: entry_publish, entry_exchange
  return atomic_load_explicit(entry, memory_order_acquire);
}

// For who alone may change the entry: its maker, or a mover that is COPYING.
static inline void entry_publish(_Atomic(uint64_t) *entry, uint64_t value)
{
  STEP(STEP_ENTRY_PUBLISH);
  atomic_store_explicit(entry, value, memory_order_release);  // pairs with entry_load
}

// Replaces *expected; if the entry has another value, stores that there and returns false.
static inline bool entry_exchange(_Atomic(uint64_t) *entry, uint64_t *expected, uint64_t value)
{
  STEP(STEP_ENTRY_EXCHANGE);
  // release: the object's bytes at a new address come before it. acquire: the next user of the old
  // address comes after what its users have done. seq_cst: for object_free and pin_hold.
  return atomic_compare_exchange_strong_explicit(entry, expected, value, memory_order_seq_cst,
                                                 memory_order_acquire);
}

#endif
