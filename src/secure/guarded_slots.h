// SPDX-License-Identifier: MIT
//
// Where guarded blocks lie: slots in a range of their own, which begins with nothing and grows by
// stripes. A stripe is cut into slots of one size, 2 to 512 os pages, the last of which is never
// accessible; nor are the others, but for those that a block has. What there is to know of a slot
// is in a record, out of line.
//
// A slot that was given back waits in the queue of its size until as many as `keep` are there, or
// no more stripes are to be had; the one that has waited longest is then taken first.
//
// All of this is guarded by guarded_lock; only the extent may be read without it.
#ifndef SECURE_GUARDED_SLOTS_H
#define SECURE_GUARDED_SLOTS_H

#include "base/kind.h"
#include "os/stack.h"
#include "os/thread.h"

enum guarded_state {
  GUARDED_UNUSED,  // no block has been here yet, or nobody knows
  GUARDED_LIVE,
  GUARDED_FREEING,  // by one thread; the memory may still be accessible
  GUARDED_FREED,
};

struct guarded_slot {
  struct guarded_slot *next;  // in the queue
  char *start;
  // Of the block, or the one that was here last.
  char *block;
  size_t size;
  size_t alignment;  // as asked for
  uint32_t allocation_thread;
  uint32_t free_thread;  // if it is freed
  uint8_t state;
  uint8_t kind;
  uint8_t page_shift;  // the slot has 2 to the power of this os pages
  uint8_t filling;     // of the bytes around the block, in the os pages that it has
  struct os_stack allocation_stack;
  struct os_stack free_stack;
};

struct guarded_extent {
  char *start;
  _Atomic(size_t) bytes;  // only grows, under the lock; others' mappings may lie in between
};
INTERNAL_DATA struct guarded_extent guarded_extent;
INTERNAL_DATA struct os_lock guarded_lock;

// Finds the range, of `bytes` or less; once. `keep` slots of each size wait before one is reused.
INTERNAL bool guarded_slots_start(size_t bytes, size_t keep);
// The most that a block and its alignment may take up.
INTERNAL size_t guarded_slots_limit(void);
// A slot with room for so many bytes in front of its last os page; NULL if there is none. It is
// UNUSED or FREED, and inaccessible.
INTERNAL struct guarded_slot *guarded_slot_take(size_t bytes);
// Puts an inaccessible slot into its queue.
INTERNAL void guarded_slot_give(struct guarded_slot *slot);
// The slot of an address, if it has ever been taken; else NULL.
INTERNAL struct guarded_slot *guarded_slot_at(const void *address);
// The slots of an address, below it and above it; each is NULL if it has never been taken.
INTERNAL void guarded_slots_around(const void *address, struct guarded_slot *around[static 3]);
INTERNAL size_t guarded_slot_bytes(const struct guarded_slot *slot);
// Calls the function for each slot that has ever been taken, by rising addresses. In a frozen copy
// of the process (os/snapshot.h).
INTERNAL void guarded_slots_each(void (*visit)(const struct guarded_slot *slot, void *argument),
                                 void *argument);
// For the child of a fork, where the thread that held the lock is no more: slots that wait are
// given up, but what blocks have stays known.
INTERNAL void guarded_slots_give_up(void);

#endif
