// SPDX-License-Identifier: MIT
//
// Guarded blocks, after GWP-ASan and Electric Fence: some allocations, chosen at random, or all,
// get os pages of their own between inaccessible ones. A block ends where its os pages end, or, by
// a random bit, begins where they begin; so an access past one side faults at once, and what is
// changed in the few bytes on the other side is found at free. Freed blocks are inaccessible, and
// their place is reused as late as may be. Size, kind, thread and stacks of the allocation and the
// free are kept out of line, and are in every report.
//
// Blocks may have somewhat less than 512 os pages: larger ones have guards anyway, and are refused
// here. So are all if there is no memory, no room under MEND_LIMIT, for which their os pages count,
// or, below level 4, if guard_slots blocks are guarded already: the caller then takes another
// block.
//
// One lock guards it all; it is not held during system calls, but for a growing range. All
// functions may be called by any thread, and by signal handlers: one that has interrupted the
// lock's holder gets no block, and what it frees is not reused.
#ifndef SECURE_GUARDED_H
#define SECURE_GUARDED_H

#include "secure/guarded_slots.h"
#include "secure/misuse.h"

// Reads the options harden, guard_rate and guard_slots, once. Then, if blocks are to be guarded,
// finds a range of addresses and watches faults. False if there are no guarded blocks.
INTERNAL bool guarded_start(void);
// In the child of a fork, after metadata_after_fork.
INTERNAL void guarded_after_fork(void);

// Whether the next allocation should be guarded. The countdown is the caller's, one a thread or
// heap, and begins as 0.
INTERNAL NOINLINE bool guarded_begin_countdown(uint32_t *countdown);
static inline bool guarded_wants_next(uint32_t *countdown)
{
  if (UNLIKELY(*countdown <= 1)) return guarded_begin_countdown(countdown);
  --*countdown;
  return false;
}

// A block that reads as zero, aligned to 16 and to `alignment`, a power of two (0 or 16: nothing
// was asked for); of size 0, one that cannot be accessed at all. NULL: take another.
INTERNAL void *guarded_allocate(size_t size, size_t alignment, enum block_kind kind);
// Whether an address is one that guarded blocks or their surroundings have.
INTERNAL bool guarded_owns(const void *pointer);
// Frees a block that guarded_owns. A misuse is reported; should the program go on after that, a
// free that names no live block does nothing.
INTERNAL void guarded_free(void *block, const struct block_claim *claim);
// The size that was asked for. What is no live block is reported as a misuse of malloc_usable_size;
// 0 if the program goes on.
INTERNAL size_t guarded_size(const void *block);
// The same, before a block is resized. False if it is not to be: it is not live, not malloc's, or
// its surroundings have changed; that has been told then, and the block is left alone.
INTERNAL bool guarded_check(const void *block, size_t *size);
// How many bytes, of those asked for, a live block has from here on; 0 where there is none.
INTERNAL size_t guarded_bytes_from(const void *pointer);
// How many are live.
INTERNAL size_t guarded_live_count(void);
// The os pages that they hold, in bytes.
INTERNAL size_t guarded_live_bytes(void);
INTERNAL_DATA _Atomic(size_t) guarded_live_total;  // the same for those who read it from outside

// What a report says of a slot's block. The stacks are the slot's own.
INTERNAL struct misuse guarded_describe(const char *what, const void *pointer,
                                        const struct guarded_slot *slot);
// The record for a report: of whose block it is that an address is in or closest to.
INTERNAL bool guarded_find_nearest(uintptr_t address, struct guarded_slot *found);

#endif
