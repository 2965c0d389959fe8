// SPDX-License-Identifier: MIT
//
// How often each pinned object of a heap is pinned. That an object is pinned at all is a bit of its
// info, which is all that a mover looks at; the counts are in this table, which movers never lock.
//
// A hash table with linear probing, keyed by the handle's index: Knuth, TAOCP volume 3, 6.4,
// algorithms L and R.
#ifndef HANDLE_PIN_TABLE_H
#define HANDLE_PIN_TABLE_H

#include "handle/entry.h"
#include "os/thread.h"

struct pin {
  uint32_t index;  // of the handle
  uint32_t count;  // 0: the place is free
};

struct pin_array {
  struct pin *pins;
  uint32_t places;  // a power of two, or 0
};

struct pin_table {
  struct os_lock lock;         // protects the rest
  struct pin_array arrays[2];  // the table, and what it is growing into
  uint32_t current;  // which is the table: one store, so that a fork finds one or the other
  _Atomic(uint32_t) used;
};

static inline struct pin_array *pin_table_array(struct pin_table *table)
{
  return &table->arrays[table->current];
}

enum pin_result { PIN_HELD, PIN_STALE, PIN_NO_MEMORY };

// Counts one more for the handle's index, and sets INFO_PINNED in its info. Whoever frees the
// object meanwhile either sees that bit, and forgets the pin, or has ended the entry before: then
// it is PIN_STALE, and nothing is counted. (The info may be a link of a chain by then, or of
// another object, which bears the bit for a moment.) PIN_NO_MEMORY also if the count would
// overflow.
INTERNAL enum pin_result pin_hold(struct pin_table *table, uint64_t handle,
                                  _Atomic(uint64_t) *entry, _Atomic(uint32_t) *info);
// Counts one less; clears the bit with the last one. False if the count is 0.
INTERNAL bool pin_release(struct pin_table *table, uint32_t index, _Atomic(uint32_t) *info);
// Forgets all pins of an object that ends.
INTERNAL void pin_forget(struct pin_table *table, uint32_t index);
INTERNAL void pin_table_clear(struct pin_table *table);
INTERNAL void pin_table_assert_valid(struct pin_table *table);
INTERNAL void pin_table_after_fork(struct pin_table *table);

#endif
