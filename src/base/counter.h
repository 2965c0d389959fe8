// SPDX-License-Identifier: MIT
//
// A counter that one thread changes, by one instruction where the machine has one for that. Others
// may do the same by mistake or hazard: then counts are lost, and no more than that.
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>

#include "base/internal.h"

struct counter {
  _Atomic(int32_t) value;
};

#if defined(__x86_64__) && !HAS_THREAD_SANITIZER
#define COUNTER_IS_ONE_INSTRUCTION 1
#else
#define COUNTER_IS_ONE_INSTRUCTION 0
#endif

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
#if COUNTER_IS_ONE_INSTRUCTION
  __asm__("addl $1, %0" : "+m"(counter->value) : : "cc");
#else
  counter_set(counter, counter_get(counter) + 1);
#endif
}

// Counts down; returns whether the counter is below 0 now.
static inline bool counter_decrement(struct counter *counter)
{
#if COUNTER_IS_ONE_INSTRUCTION
  bool is_negative;
  __asm__("subl $1, %0" : "+m"(counter->value), "=@ccs"(is_negative));
  return is_negative;
#else
  int32_t value = counter_get(counter) - 1;
  counter_set(counter, value);
  return value < 0;
#endif
}

#endif
