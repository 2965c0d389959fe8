// SPDX-License-Identifier: MIT
//
// A counter that one thread changes, by one instruction where the machine has one for that. Others
// may do the same by mistake or hazard: then counts are lost, and no more than that.
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include "base/machine.h"

struct counter {
  _Atomic(int32_t) value;
};

static inline void counter_set(struct counter *counter, int32_t value)
{
  atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

static inline int32_t counter_get(struct counter *counter)
{
  return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

static inline void counter_increment(struct counter *counter)
{
  machine_increment(&counter->value);
}

// Counts down; returns whether the counter is below 0 now.
static inline bool counter_decrement(struct counter *counter)
{
  return machine_decrement(&counter->value);
}

#endif
