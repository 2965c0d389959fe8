// SPDX-License-Identifier: MIT
//
// The questions that bounds.c and bounds_text.c ask before they copy, and what is said where the
// answer is no. A misuse that is told and does not end the process goes on as it was asked for.
#ifndef SECURE_BOUNDS_CHECK_H
#define SECURE_BOUNDS_CHECK_H

#include "secure/bounds.h"
#include "secure/extent.h"

// Tells of a misuse: "overflow by memcpy", or "use of freed memory by memcpy".
INTERNAL NOINLINE void bounds_tell(const char *kind, const char *name, const void *pointer);

// How many bytes may be read or written from there on.
static inline size_t room_behind(const void *pointer)
{
  if (!atomic_load_explicit(&mend_bounds.checks, memory_order_relaxed)) return SIZE_MAX;
  return secure_bytes_from(pointer);
}

static inline void check_write(const char *name, const void *to, size_t bytes)
{
  if (UNLIKELY(room_behind(to) < bytes)) bounds_tell("overflow", name, to);
}

static inline void check_read(const char *name, const void *from, size_t bytes)
{
  if (UNLIKELY(room_behind(from) < bytes)) bounds_tell("overread", name, from);
}

// What _FORTIFY_SOURCE finds: `count`, where the compiler has seen that there are only `limit`.
static inline void check_limit(size_t count, size_t limit)
{
#ifdef __GLIBC__
  extern _Noreturn void __chk_fail(void);
  if (UNLIKELY(count > limit)) __chk_fail();
#else
  (void)count, (void)limit;
#endif
}

#define NO_LIMIT SIZE_MAX

// Keeps the compiler from making a call of memcpy, memset or strlen out of the loop around it.
static inline void keep_loop(void)
{
  __asm__ volatile("" ::: "memory");
}

static inline size_t wide_bytes(size_t count)
{
  return count > SIZE_MAX / sizeof(wchar_t) ? SIZE_MAX : count * sizeof(wchar_t);
}

#endif
