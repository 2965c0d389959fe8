// SPDX-License-Identifier: MIT
//
// All heaps of the process: threads' heaps, first-class heaps, and the common heap, which inherits
// what threads leave behind when they end.
//
// A heap's structure lives for ever and is reused, because another thread may still be about to
// post a page to it. core/upkeep.h looks after all of them.
//
// Order of entering and locking: a thread's or first-class heap, the common heap, the chunk lock,
// the metadata lock. Nobody waits for a second of the first kind.
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include "core/heap.h"

// Where the heaps are, for those who read them from outside, too.
struct registry_heaps {
  _Atomic(struct heap *) first;  // every heap but the common one, linked by `next`
  struct heap *common;           // inherits what threads leave
};
INTERNAL_DATA struct registry_heaps registry_heaps;

// Starts the core: region, common heap, fork and thread hooks. Idempotent; called by the first
// allocation. False if there is no address space.
INTERNAL bool registry_init(void);

// The heap that the calling thread allocates from: its own, made on first use, or the common heap
// if it cannot have one (its destructors have run, or a signal handler has interrupted its slow
// path). NULL if not even that can be used.
INTERNAL struct heap *registry_current(void);
// The calling thread's own heap, or NULL.
INTERNAL struct heap *registry_own(void);
// A page that an ended thread left. Inside the heap that it is for.
INTERNAL struct page *registry_adopt(struct heap *heap, unsigned size_class);

// A first-class heap.
INTERNAL struct heap *registry_create(void);
INTERNAL void registry_destroy(struct heap *heap);
// Whether that is a first-class heap that has not been destroyed. Any address may be asked.
INTERNAL bool registry_is_first_class(const struct heap *heap);
// The heap that serves in place of a first-class heap: itself, unless it was given up in a fork;
// NULL if there is no memory for another.
INTERNAL struct heap *registry_serving(struct heap *heap);
// Whether blocks of a first-class heap, and of what serves in its place, are wiped from now on when
// they are freed.
INTERNAL void registry_set_wipe(struct heap *heap, bool wipes);

// Does for a thread that has ended unseen what its end would have done, if the heap is such a
// one's.
INTERNAL bool registry_inherit(struct heap *heap);
// The same for the next heap in turn that has a thread, if there is one among the next few.
INTERNAL bool registry_inherit_next(void);

// Whether the calling thread may go inside a heap, if nobody is there.
INTERNAL bool registry_may_enter(struct heap *heap);
// Goes inside a heap whosever it is; false if the calling thread must not. Left by heap_leave.
INTERNAL bool registry_enter(struct heap *heap);
// The heap behind another, the first one for NULL; NULL behind the last. Heaps that come meanwhile
// may be missed.
INTERNAL struct heap *registry_next(struct heap *heap);
// Calls the function inside every heap but those that the calling thread is inside of already.
INTERNAL void registry_each(void (*function)(struct heap *heap, void *argument), void *argument);

#endif
