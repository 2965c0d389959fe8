// SPDX-License-Identifier: MIT
//
// Objects: made, found by their handle, resized and freed. What a reader does is here: it resolves,
// and if it meets a mover it calls the move off, with one exchange (the veto).
//
// Order matters in two places. A new object's info is written before its entry says LIVE, so that
// who finds the one by the other finds both. A dying object's entry says FREE before its block is
// given back, so that no entry ever points to a block that is another's.
#ifndef HANDLE_OBJECT_H
#define HANDLE_OBJECT_H

#include "handle/handle_heap.h"
#include "handle/info.h"
#include "handle/scope.h"
#include "handle/transfer.h"
#include "mend/handle.h"

static_assert(MEND_HANDLE_MAX_ALIGNMENT <= INFO_SLACK_MASK + 1, "padding is slack");

// A new object of at most BITS_MAX_SIZE bytes; 0 if there is no memory. Its alignment is a power of
// two up to MEND_HANDLE_MAX_ALIGNMENT, by the choice of a size class all of whose blocks have it:
// so it lasts wherever the object moves.
INTERNAL uint64_t object_allocate(struct handle_heap *heap, size_t alignment, size_t size,
                                  unsigned flags, mend_type type);
INTERNAL enum mend_status object_resize(uint64_t handle, size_t alignment, size_t size);
// `is_deferred`: the block is freed after a grace period.
INTERNAL enum mend_status object_free(uint64_t handle, bool is_deferred);
// Gives a block back that no entry points to any more. Any thread, no lock but of still lanes.
INTERNAL void object_free_block(void *block);
// Gives the block back that a FREE entry still has the address of, and then the entry.
INTERNAL void object_free_entry(uint32_t index, uint64_t entry);
INTERNAL size_t object_bytes(uint64_t handle);
INTERNAL mend_type object_type(uint64_t handle);
INTERNAL enum mend_status object_status(uint64_t handle);
// The object's address, from now on fixed; NULL and the reason if it cannot be.
INTERNAL void *object_pin(uint64_t handle, enum mend_status *status);
INTERNAL enum mend_status object_unpin(uint64_t handle);

// The entry's value once no move is under way: calls off one that is. False if the handle names no
// object. Within a scope.
INTERNAL bool object_settle(_Atomic(uint64_t) *entry, uint64_t handle, uint64_t *value);
// object_resolve where a handle that names nothing is no mistake.
INTERNAL void *object_resolve_weak(uint64_t handle);
// object_resolve where no scope is open, or the entry is not as expected.
INTERNAL NOINLINE void *object_resolve_slow(uint64_t handle);

static inline void *object_resolve(uint64_t handle)
{
  if (UNLIKELY(!scope_is_open())) return object_resolve_slow(handle);
  _Atomic(uint64_t) *entry = handle_entry(handle);
  if (LIKELY(entry != NULL)) {
    uint64_t value = entry_load(entry);
    if (LIKELY(entry_is_settled(value, handle))) return entry_block(value);
  }
  return object_resolve_slow(handle);
}

// ---------------------------------------------------------------------------------------------
// Types.

// A new type; 0 if there are no more.
INTERNAL mend_type object_type_register(struct object_type type);
INTERNAL struct object_type object_type_of(uint32_t type);
INTERNAL bool object_type_exists(uint32_t type);
// In the child of a fork.
INTERNAL void object_types_after_fork(void);

#endif
