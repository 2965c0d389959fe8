// SPDX-License-Identifier: MIT
//
// The twenty replaceable operators of C++, by their mangled names, so that a C library serves them
// without linking the C++ one. When memory runs out the program's new-handler is called until it
// gives up; then std::bad_alloc is thrown. Both are found in whatever C++ library the process has:
// without one nobody can have called these.
#include "api/override.h"
#include "base/fatal.h"

typedef void (*new_handler)(void);
extern new_handler get_new_handler(void) __asm__("_ZSt15get_new_handlerv") __attribute__((weak));
extern void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") __attribute__((weak));

// Lets the program find memory. Returns false if it has no handler.
static bool call_new_handler(void)
{
  new_handler handler = get_new_handler != NULL ? get_new_handler() : NULL;
  if (handler == NULL) return false;
  handler();
  return true;
}

static void *new_aligned(size_t size, size_t alignment)
{
  void *block;
  do {
    block = alignment <= 16 ? mend_malloc(size) : mend_aligned_alloc(alignment, size);
  } while (block == NULL && call_new_handler());
  return block;
}

static NOINLINE void *new_or_throw(size_t size, size_t alignment)
{
  void *block = new_aligned(size, alignment);
  if (block != NULL) return block;
  if (throw_bad_alloc != NULL) throw_bad_alloc();
  fatal("operator new: out of memory, and no C++ library to throw with", NULL);
}

// The plain forms throw; new[] is new.
MEND_EXPORT void *_Znwm(size_t size);
MEND_EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t alignment);

MEND_EXPORT void *_Znwm(size_t size)
{
  void *block = mend_malloc(size);
  return LIKELY(block != NULL) ? block : new_or_throw(size, 16);
}

MEND_EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t alignment)
{
  return new_or_throw(size, alignment);
}

extern void *_Znam(size_t) __attribute__((alias("_Znwm"), visibility("default")));
extern void *_ZnamSt11align_val_t(size_t, size_t)
    __attribute__((alias("_ZnwmSt11align_val_t"), visibility("default")));

// The nothrow forms return NULL. (A new-handler that throws nevertheless ends the program.)
MEND_EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
MEND_EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                     const void *nothrow);

MEND_EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
  (void)nothrow;
  return new_aligned(size, 16);
}

MEND_EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                     const void *nothrow)
{
  (void)nothrow;
  return new_aligned(size, alignment);
}

extern void *_ZnamRKSt9nothrow_t(size_t, const void *)
    __attribute__((alias("_ZnwmRKSt9nothrow_t"), visibility("default")));
extern void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *)
    __attribute__((alias("_ZnwmSt11align_val_tRKSt9nothrow_t"), visibility("default")));

// All forms of delete are free: what they know beyond the address is not needed.
OVERRIDE(_ZdlPv, mend_free);
OVERRIDE(_ZdaPv, mend_free);
OVERRIDE(_ZdlPvm, mend_free);
OVERRIDE(_ZdaPvm, mend_free);
OVERRIDE(_ZdlPvSt11align_val_t, mend_free);
OVERRIDE(_ZdaPvSt11align_val_t, mend_free);
OVERRIDE(_ZdlPvmSt11align_val_t, mend_free);
OVERRIDE(_ZdaPvmSt11align_val_t, mend_free);
OVERRIDE(_ZdlPvRKSt9nothrow_t, mend_free);
OVERRIDE(_ZdaPvRKSt9nothrow_t, mend_free);
OVERRIDE(_ZdlPvSt11align_val_tRKSt9nothrow_t, mend_free);
OVERRIDE(_ZdaPvSt11align_val_tRKSt9nothrow_t, mend_free);
