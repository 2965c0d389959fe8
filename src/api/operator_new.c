// SPDX-License-Identifier: MIT
//
// The eight replaceable operators new of C++, by their mangled names, so that a C library serves
// them without linking the C++ one. (The twelve operators delete: operator_delete.c.) When memory
// runs out the program's new-handler is called until it gives up; then std::bad_alloc is thrown, or
// NULL returned. What is needed for that is found in whatever C++ library the process has: without
// one nobody can have called these.
#include <setjmp.h>
#include <unwind.h>

#include "api/allocate.h"
#include "api/front.h"
#include "base/fatal.h"
#include "mend/mend.h"

typedef void (*new_handler)(void);
extern new_handler get_new_handler(void) __asm__("_ZSt15get_new_handlerv") __attribute__((weak));
extern void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") __attribute__((weak));
extern void *begin_catch(void *exception) __asm__("__cxa_begin_catch") __attribute__((weak));
extern void end_catch(void) __asm__("__cxa_end_catch") __attribute__((weak));

// Lets the program find memory. Returns false if it has no handler.
static bool call_new_handler(void)
{
  new_handler handler = get_new_handler != NULL ? get_new_handler() : NULL;
  if (handler == NULL) return false;
  handler();
  return true;
}

static void *new_once(enum block_kind kind, size_t size, size_t alignment)
{
  if (alignment <= NATURAL_ALIGNMENT) return front_allocate(size, kind);
  return bits_is_power_of_two(alignment) ? allocate_as(kind, size, alignment)
                                         : allocate_fail(EINVAL);
}

// ---------------------------------------------------------------------------------------------
// A handler may throw, and below a nothrow form its exception must end. C has no catch. But for
// each frame that names a *personality* in its unwind table, the unwinder asks that routine whether
// the exception ends there (the Itanium C++ ABI). Ours says yes; and when all frames of the handler
// are gone, it leaves the unwinder by longjmp.

struct catcher {
  jmp_buf resume;
  void *exception;
};
static _Thread_local struct catcher *catcher __attribute__((tls_model("initial-exec")));

// In the first phase the unwinder looks for the frame that catches, in the second it cleans up on
// the way there. Unwinding that is forced (a thread that is cancelled) is not to be stopped.
__attribute__((used)) static _Unwind_Reason_Code catch_all(int version, _Unwind_Action actions,
                                                           _Unwind_Exception_Class language,
                                                           struct _Unwind_Exception *exception,
                                                           struct _Unwind_Context *context)
{
  (void)version, (void)language, (void)context;
  if (actions & _UA_FORCE_UNWIND || begin_catch == NULL || end_catch == NULL)
    return _URC_CONTINUE_UNWIND;
  if (actions & _UA_SEARCH_PHASE) return _URC_HANDLER_FOUND;
  catcher->exception = exception;
  longjmp(catcher->resume, 1);
}

// The frame at which exceptions end. 0x1b: the routine's place is given relative to this one's.
static NOINLINE bool call_new_handler_and_catch(void)
{
  __asm__ volatile(".cfi_personality 0x1b, catch_all");
  return call_new_handler();
}

// As call_new_handler; false also if the handler has thrown.
static NOINLINE bool try_new_handler(void)
{
  struct catcher *outer = catcher;  // of a handler that has come here
  struct catcher own;
  catcher = &own;
  if (setjmp(own.resume) == 0) {
    bool is_called = call_new_handler_and_catch();
    catcher = outer;
    return is_called;
  }
  begin_catch(own.exception);
  end_catch();
  catcher = outer;
  return false;
}

// ---------------------------------------------------------------------------------------------

static NOINLINE void *new_or_throw(enum block_kind kind, size_t size, size_t alignment)
{
  void *block;
  do {
    block = new_once(kind, size, alignment);
  } while (block == NULL && call_new_handler());
  if (block != NULL) return block;
  if (throw_bad_alloc != NULL) throw_bad_alloc();
  fatal("operator new: out of memory, and no C++ library to throw with", NULL);
}

static void *new_or_null(enum block_kind kind, size_t size, size_t alignment)
{
  void *block;
  do {
    block = new_once(kind, size, alignment);
  } while (block == NULL && try_new_handler());
  return block;
}

// The plain forms throw.
MEND_EXPORT void *_Znwm(size_t size);
MEND_EXPORT void *_Znam(size_t size);
MEND_EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
MEND_EXPORT void *_ZnamSt11align_val_t(size_t size, size_t alignment);
MEND_EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
MEND_EXPORT void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
MEND_EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                     const void *nothrow);
MEND_EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                     const void *nothrow);

MEND_EXPORT void *_Znwm(size_t size)
{
  void *block = front_allocate(size, KIND_NEW);
  return LIKELY(block != NULL) ? block : new_or_throw(KIND_NEW, size, NATURAL_ALIGNMENT);
}

MEND_EXPORT void *_Znam(size_t size)
{
  void *block = front_allocate(size, KIND_NEW_ARRAY);
  return LIKELY(block != NULL) ? block : new_or_throw(KIND_NEW_ARRAY, size, NATURAL_ALIGNMENT);
}

MEND_EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t alignment)
{
  return new_or_throw(KIND_NEW, size, alignment);
}

MEND_EXPORT void *_ZnamSt11align_val_t(size_t size, size_t alignment)
{
  return new_or_throw(KIND_NEW_ARRAY, size, alignment);
}

MEND_EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
  (void)nothrow;
  return new_or_null(KIND_NEW, size, NATURAL_ALIGNMENT);
}

MEND_EXPORT void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow)
{
  (void)nothrow;
  return new_or_null(KIND_NEW_ARRAY, size, NATURAL_ALIGNMENT);
}

MEND_EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                     const void *nothrow)
{
  (void)nothrow;
  return new_or_null(KIND_NEW, size, alignment);
}

MEND_EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                     const void *nothrow)
{
  (void)nothrow;
  return new_or_null(KIND_NEW_ARRAY, size, alignment);
}
