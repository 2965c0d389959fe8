// SPDX-License-Identifier: MIT
//
// What the program has said of reachability itself: memory to look at besides (such as that of
// another allocator, or where only the child of a fork would not see it), and blocks that are not
// to be reported. A table in metadata, read without the lock in a frozen copy of the process.
#ifndef TRACK_LEAK_ROOTS_H
#define TRACK_LEAK_ROOTS_H

#include "track/reach.h"

// Both fail with EBUSY below a signal handler that has interrupted one of them.
//
// `bytes` from an address on are roots; 0: the address is one itself. False with ENOMEM if there is
// no memory.
INTERNAL bool leak_roots_add(const void *start, size_t bytes);
// Takes back what the same values added; false with ENOENT if nothing did.
INTERNAL bool leak_roots_remove(const void *start, size_t bytes);
// In a frozen copy.
INTERNAL void leak_roots_reach(struct reach *reach);
// In the child of a fork.
INTERNAL void leak_roots_after_fork(void);

#endif
