// SPDX-License-Identifier: MIT
//
// The end of a process whose heap can no longer be trusted: one line, then abort.
#ifndef BASE_FATAL_H
#define BASE_FATAL_H

#include "base/internal.h"

// Writes "mend: <message>: <address>" and aborts. The messages are listed in docs/Security.md.
INTERNAL _Noreturn NOINLINE void fatal(const char *message, const void *address);

// What must be true of our own code. In builds without NDEBUG.
#ifdef NDEBUG
#define ASSERT(condition) ((void)0)
#else
#define ASSERT(condition) \
  (LIKELY(condition) ? (void)0 : fatal("internal error: " #condition " in " __FILE__, NULL))
#endif

#endif
