// SPDX-License-Identifier: MIT
//
// What one instruction of x86-64 does with a variable in memory, and compilers do not say in one:
// they load an atomic variable by an instruction of its own. Each function has a form in C for
// other machines, and for ThreadSanitizer, which has to see each access.
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include "base/internal.h"

#if defined(__x86_64__) && !HAS_THREAD_SANITIZER
#define MACHINE_IS_X86_64 1
#else
#define MACHINE_IS_X86_64 0
#endif

// Whether `value` is below the variable.
static inline bool machine_is_below(uint64_t value, const _Atomic(size_t) *variable)
{
#if MACHINE_IS_X86_64
  bool is_below;
  __asm__("cmpq %1, %2" : "=@ccb"(is_below) : "m"(*variable), "r"(value));
  return is_below;
#else
  return value < atomic_load_explicit(variable, memory_order_relaxed);
#endif
}

// Adds 1. What others add at the same time may be lost.
static inline void machine_increment(_Atomic(int32_t) *variable)
{
#if MACHINE_IS_X86_64
  __asm__("addl $1, %0" : "+m"(*variable) : : "cc");
#else
  int32_t value = atomic_load_explicit(variable, memory_order_relaxed);
  atomic_store_explicit(variable, value + 1, memory_order_relaxed);
#endif
}

// Takes 1 off in the same way; returns whether the variable is below 0 now.
static inline bool machine_decrement(_Atomic(int32_t) *variable)
{
#if MACHINE_IS_X86_64
  bool is_negative;
  __asm__("subl $1, %0" : "+m"(*variable), "=@ccs"(is_negative));
  return is_negative;
#else
  int32_t value = atomic_load_explicit(variable, memory_order_relaxed) - 1;
  atomic_store_explicit(variable, value, memory_order_relaxed);
  return value < 0;
#endif
}

#endif
