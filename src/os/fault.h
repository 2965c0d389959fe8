// SPDX-License-Identifier: MIT
//
// Faults: SIGSEGV and SIGBUS, seen before whoever else handles them. Our handler runs on the
// alternate stack if the thread has one, and then passes the signal on to the handler that was
// there before, or has the fault happen once more and end the process as it would have without us.
// A program that sets a handler later replaces ours, as it would replace any other; one that keeps
// what was there and calls that still gets ours.
//
// What was there before is kept in a page of its own, which is read-only afterwards, where the
// kernel's pages are not larger than 4 KiB.
#ifndef OS_FAULT_H
#define OS_FAULT_H

#include <signal.h>

#include "base/internal.h"

enum os_access { OS_ACCESS_UNKNOWN, OS_ACCESS_READ, OS_ACCESS_WRITE };

struct os_fault {
  uintptr_t address;  // that could not be accessed; 0 if the kernel does not say
  uintptr_t code;     // of the instruction
  uintptr_t frame;    // the frame pointer at that time
  enum os_access access;
};

// Has `handler` called for faults from now on; once in a process. False if it cannot be.
INTERNAL bool os_fault_watch(void (*handler)(int signal_number, siginfo_t *info, void *context));
// What a handler has been told.
INTERNAL struct os_fault os_fault_read(const siginfo_t *info, const void *context);
// The last thing that the handler does.
INTERNAL void os_fault_pass_on(int signal_number, siginfo_t *info, void *context);

#endif
