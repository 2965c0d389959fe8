// SPDX-License-Identifier: MIT
//
// Objects that are gone for whoever asks now, but may still be in use by who asked before: they are
// freed after a grace period (scope.h).
//
// Their entries are FREE with the next generation, but keep the address; they are chained through
// their infos, so there is always memory for it. One chain is being filled; when it is long enough,
// and the one before has been freed, it starts to wait.
#ifndef HANDLE_DEFERRED_H
#define HANDLE_DEFERRED_H

#include "handle/handle_table.h"

struct deferred {
  struct os_lock lock;  // protects the rest
  uint32_t filling;     // the chain's first index, + 1
  uint32_t filled;      // its length
  uint32_t waiting;     // the chain that waits, + 1
  uint64_t epoch;       // for no older scope to be open
};

struct handle_heap;

// Adds an object. Frees others if their time has come.
INTERNAL void deferred_add(struct handle_heap *heap, uint32_t index);
// Frees what can be freed: what has been added until now waits from now on.
INTERNAL void deferred_flush(struct handle_heap *heap);
INTERNAL void deferred_after_fork(struct deferred *deferred);

#endif
