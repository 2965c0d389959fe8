// SPDX-License-Identifier: MIT
//
// Objects that are gone for whoever asks now, but may still be in use by who asked before: they are
// freed after a grace period (scope.h).
//
// Their entries are FREE with the next generation, but keep the address; they are chained through
// their infos, so there is always memory for it. One chain is being filled, by any thread and
// without a lock; when it is long enough, and the one before has been freed, it starts to wait.
// Whoever sees to that holds a lock which nobody waits for: who finds it taken leaves it at that.
#ifndef HANDLE_DEFERRED_H
#define HANDLE_DEFERRED_H

#include "handle/handle_table.h"

struct deferred {
  _Atomic(uint32_t) filling;  // the chain's first index, + 1
  _Atomic(uint32_t) added;    // weight of all objects ever, modulo 2^32
  struct os_lock lock;        // protects the rest
  uint32_t waiting;           // the chain that waits, + 1
  uint64_t epoch;             // for no older scope to be open
};

struct handle_heap;

// Adds an object whose block is so large. Now and then frees others, if their time has come.
INTERNAL void deferred_add(struct handle_heap *heap, uint32_t index, size_t block_bytes);
// Frees what can be freed: what has been added until now waits from now on. Does nothing if another
// thread is at it.
INTERNAL void deferred_flush(struct handle_heap *heap);
INTERNAL void deferred_after_fork(struct deferred *deferred);

#endif
