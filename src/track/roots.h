// SPDX-License-Identifier: MIT
//
// Where a leak check begins: all that this process has written and can read, but for what is ours
// and for parts of stacks that are not in use. So variables of the program and of all its modules,
// thread-local ones, stacks, and memory that was mapped without us are roots, whatever the names of
// their mappings; blocks are none, nor free memory, descriptors and tables. Files that are mapped
// to be shared are not looked at: an address would mean nothing to who reads them later.
//
// What threads that have ended left on their stacks, which the C library keeps for others, is no
// root, where that can be told. For a frozen copy of the process. What lies below a thread's
// pointer is left out only as far as that stack is known to reach: as the C library has noted for
// the thread, and, for the first one, in the mapping that the kernel calls the stack. A pointer
// that is not in there is of some other stack, which is looked at whole.
#ifndef TRACK_ROOTS_H
#define TRACK_ROOTS_H

#include "os/parking.h"
#include "os/threads.h"
#include "track/reach.h"

struct root_range {
  uintptr_t start;
  uintptr_t end;
};

struct root_stack {
  uintptr_t pointer;  // what lies below is not in use
  uintptr_t thread;   // the thread's id, which is an address too
  bool is_first;      // the thread is the process's first
};

struct roots {
  // What is not to be looked at.
  struct root_range *ours;  // by rising addresses, when they are used
  size_t ours_count;
  size_t ours_room;
  struct root_stack *stacks;
  size_t stack_count;
  size_t stack_room;
  struct os_threads *threads;  // that there are; NULL: nobody tells
  uintptr_t first_stack;       // where the first thread's was empty, if that has ended; else 0
};

// False if there is no memory. Notes the allocator's own memory and the stacks of parked threads.
INTERNAL bool roots_begin(struct roots *roots, struct os_scratch *scratch, size_t more_ours);
INTERNAL void roots_add_ours(struct roots *roots, const void *start, size_t bytes);
// A pointer of 0: what is in use is not known.
INTERNAL void roots_add_stack(struct roots *roots, struct root_stack stack);
// Makes roots of the rest. False if it cannot be found out what that is.
INTERNAL bool roots_add_all(struct roots *roots, struct reach *reach);

#endif
