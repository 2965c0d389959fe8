// SPDX-License-Identifier: MIT
//
// Stops the other threads of the process for a moment, each below a handler of a signal that nobody
// else uses, if possible one that does nothing without. So their registers lie in memory, on their
// stacks, and it is known how far down these are in use. A thread that blocks the signal, or waits
// for signals, is not asked, and one that does not answer in time is left alone; all are counted.
// Calls that a signal interrupts are begun again by the kernel, but for those that it never does
// that with (signal(7)).
//
// Parked threads may hold any lock: until they go on, the caller must not take one, nor allocate.
// A handler might, so the caller has all signals blocked meanwhile.
#ifndef OS_PARKING_H
#define OS_PARKING_H

#include "base/internal.h"

// On the stack of a parked thread.
struct os_parked {
  struct os_parked *next;
  uintptr_t stack;        // what lies from here on is in use: of the stack that it was on (0: it
                          // was on its signal stack: so of which is not known),
  uintptr_t handler;      // and of the one that the handler is on, up to its end,
  uintptr_t handler_end;  // which is 0 if that is the same
  uintptr_t thread;       // its id
  bool is_first;          // of the process
};

// Parks them, and says how many could not be. False, with errno, if nobody tells which threads
// there are: then none is parked. One thread at a time.
INTERNAL bool os_parking_begin(uint32_t patience_ms, size_t *unparked);
// The parked threads, linked; none if threads are not parked.
INTERNAL const struct os_parked *os_parking_threads(void);
// Does nothing if threads are not parked.
INTERNAL void os_parking_end(void);

#endif
