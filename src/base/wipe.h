// SPDX-License-Identifier: MIT
//
// Zeroing that no optimizer drops, for memory that nobody reads afterwards.
#ifndef BASE_WIPE_H
#define BASE_WIPE_H

#include <stddef.h>
#include <string.h>

// `memory` may be NULL if `bytes` is 0.
static inline void wipe_memory(void *memory, size_t bytes)
{
  if (bytes > 0) memset(memory, 0, bytes);
  __asm__ volatile("" : : "r"(memory) : "memory");  // where somebody may read it, for all it knows
}

#endif
