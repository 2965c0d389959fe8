// SPDX-License-Identifier: MIT
//
// How often each pinned object of a heap is pinned. That an object is pinned at all is a bit of its
// info, which is all that a mover looks at; the counts are in this table, which movers never lock.
//
// A hash table with linear probing, keyed by the handle's index: Knuth, TAOCP volume 3, 6.4,
// algorithms L and R.
#ifndef HANDLE_PIN_TABLE_H
#define HANDLE_PIN_TABLE_H

#include "os/thread.h"

struct pin {
  uint32_t index;  // of the handle
  uint32_t count;  // 0: the place is free
};

struct pin_table {
  struct os_lock lock;  // protects the rest
  struct pin *pins;
  uint32_t places;  // a power of two, or 0
  _Atomic(uint32_t) used;
};

// Counts one more for the index, and sets INFO_PINNED in its info. False if there is no memory, or
// the count would overflow.
INTERNAL bool pin_hold(struct pin_table *table, uint32_t index, _Atomic(uint32_t) *info);
// Counts one less; clears the bit with the last one. False if the count is 0.
INTERNAL bool pin_release(struct pin_table *table, uint32_t index, _Atomic(uint32_t) *info);
// Forgets all pins of an object that ends.
INTERNAL void pin_forget(struct pin_table *table, uint32_t index);
INTERNAL void pin_table_clear(struct pin_table *table);
INTERNAL void pin_table_after_fork(struct pin_table *table);

#endif
