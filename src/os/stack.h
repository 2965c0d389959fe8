// SPDX-License-Identifier: MIT
//
// Who has called: the return addresses on a thread's stack, found by following frame pointers. A
// frame pointer is believed if it is a multiple of 16, above the one before it by less than the
// usual limit of a stack, and can be read (os/probe.h); else the walk ends. So nothing needs to be
// known about the stack itself, and a register that holds something else does no harm.
//
// Code that is compiled without frame pointers, as most compilers do unless they are told
// -fno-omit-frame-pointer, gives short stacks, leaves callers out, or shows a word that is no
// return address (reports leave that out: secure/misuse.c). What is always there is the first one.
// Where return addresses are signed, the signature is taken off.
//
// Reading a frame through the kernel takes a system call for each os page: too much for who asks at
// every allocation. os_stack_walk therefore remembers what it has found readable of the thread's
// own stack, which it knows by what lies at its upper end without a gap: that stays as long as the
// thread does, and frames in there are read as they are. Any other stack (a signal's, a
// coroutine's) may be gone by the next walk, with another in its place: of that only the page of
// the first frame is taken for granted, and each further one asked for. No walk goes past a
// gap.
#ifndef OS_STACK_H
#define OS_STACK_H

#include "base/internal.h"

enum { OS_STACK_DEPTH = 16 };

struct os_stack {
  size_t count;
  uintptr_t addresses[OS_STACK_DEPTH];  // the innermost first
};

// The calling thread's stack, which begins with the caller of this function. Allocates nothing and
// locks nothing; may be called by signal handlers; errno stays.
INTERNAL NOINLINE void os_stack_read(struct os_stack *stack);
// The stack of code that was interrupted at `address` and had this frame pointer.
INTERNAL void os_stack_read_from(struct os_stack *stack, uintptr_t address, uintptr_t frame);

// What can be read of the stack that a thread was last seen on. Begins as zeros.
struct os_stack_bounds {
  uintptr_t low;
  uintptr_t high;  // one past the last byte
  bool lasts;      // it is the thread's own; else this was so during one walk
};

enum { OS_STACK_TRACE_DEPTH = 32, OS_STACK_TRACE_FRAMES = 48 };

// What a walk has found, and from which words: while those are the same, it need not be made again.
// Begins as zeros.
struct os_stack_trace {
  size_t depth;     // asked for; 0: nothing has been found
  uint64_t hash;    // of the addresses
  size_t count;     // of the addresses
  uintptr_t first;  // the frame that the walk began with; 0: there were too many to compare
  uintptr_t end;    // one past the last word that was read
  size_t frame_count;
  uintptr_t addresses[OS_STACK_TRACE_DEPTH];   // the innermost first
  uintptr_t frames[OS_STACK_TRACE_FRAMES][2];  // of each: the caller's, and the address
};

// Up to `depth` (1 to OS_STACK_TRACE_DEPTH) of the calling thread's callers, without those in this
// library's own code (where that is known: in builds from one file). The trace is that of an
// earlier walk of the thread, or zeros: all of its words are compared. Allocates nothing and locks
// nothing; may be called by signal handlers that have interrupted it, with bounds and a trace of
// their own; errno stays.
INTERNAL NOINLINE void os_stack_walk(struct os_stack_bounds *bounds, struct os_stack_trace *trace,
                                     size_t depth);

#endif
