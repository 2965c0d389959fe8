// SPDX-License-Identifier: MIT
//
// The calls by which the allocator has its memory, each counted (os_memory_call_count). For
// os/memory.c and os/guard.c alone.
#ifndef OS_CALLS_H
#define OS_CALLS_H

#include <sys/mman.h>

#include "os/memory.h"

static inline void calls_count(void)
{
  atomic_fetch_add_explicit(&os_memory_counts.calls, 1, memory_order_relaxed);
}

// mmap of memory that is nobody else's; NULL on failure.
static inline void *calls_map(void *where, size_t bytes, int protection, int flags)
{
  calls_count();
  flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void *start = mmap(where, bytes, protection, flags, -1, 0);
  return start == MAP_FAILED ? NULL : start;
}

static inline void calls_unmap(void *start, size_t bytes)
{
  if (bytes == 0) return;
  calls_count();
  munmap(start, bytes);
}

static inline bool calls_advise(void *start, size_t bytes, int advice)
{
  calls_count();
  return madvise(start, bytes, advice) == 0;
}

#endif
