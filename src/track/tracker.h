// SPDX-License-Identifier: MIT
//
// What is remembered of blocks: who allocated them, when, how large. Whoever hands out and takes
// back blocks tells the tracker of those that are to be remembered: in sampled mode some, in exact
// mode all.
//
// A block has a record (record.h) and a *stack number*: an interned stack of callers
// (site_table.h), 0 for none. Records are found by arithmetic from the block's page, and changed
// without locks by whoever allocates or frees the block; anybody may look at them at any time.
//
// Sampling is unbiased if each block of a page is remembered with the probability
// 1 - exp(-page->block_bytes / interval): what is not remembered is then estimated from what is.
//
// A fork's child sees the records as they were; only the calling thread goes on there.
#ifndef TRACK_TRACKER_H
#define TRACK_TRACKER_H

#include "base/kind.h"
#include "core/page.h"

enum tracker_mode { TRACKER_OFF, TRACKER_SAMPLED, TRACKER_EXACT };

INTERNAL_DATA _Atomic(uint32_t) tracker_mode_now;

static inline enum tracker_mode tracker_mode(void)
{
  return (enum tracker_mode)atomic_load_explicit(&tracker_mode_now, memory_order_relaxed);
}

// Begins to remember, in another mode or with another interval (mean bytes from sample to sample, 1
// at least; of no meaning in exact mode). False if there is no memory for tables: then all is as
// before. One thread at a time; before the allocator's own change to the mode.
INTERNAL bool tracker_start(enum tracker_mode mode, size_t interval_bytes);
// Ends that; after the allocator's own change. Blocks that were remembered exactly are forgotten;
// samples stay what they are until they are freed.
INTERNAL void tracker_stop(void);
// No block was handed out before the exact mode that has just begun. From then on, until another
// mode begins or there is no memory for a record, what has no record is no block that is in use.
INTERNAL void tracker_begin_complete(void);
INTERNAL bool tracker_is_complete(void);
// The mean distance of samples, of the mode that is or was last; 0: exact. It is the one that was
// asked for, unless there have been very many others.
INTERNAL size_t tracker_interval_bytes(void);
// The one that a block's weight stands for.
INTERNAL size_t tracker_interval_of(unsigned weight);

// What is known of a block, in use or not.
struct tracker_block {
  void *block;
  size_t size;           // asked for
  size_t block_bytes;    // of its page
  bool is_live;          // else it is free again
  unsigned weight;       // for tracker_interval_of
  void *twin;            // of a live sample, or NULL
  enum block_kind kind;  // by what it was allocated; KIND_ANY of a sample with a twin, or not live
  uint32_t stack;        // a number for site_of (site_table.h); 0: not known
  uint32_t thread;       // a number for thread_state_kernel_number; 0: not known
  uint32_t ms;           // when: by tracker_clock_ms
  uint32_t free_stack;   // exact mode, not live: of the free
  uint32_t free_thread;
};

// A block is handed out. Remembers it with the calling thread's stack, without this library's own
// frames. `twin` (may be NULL) is the block that stands in for a sample in an ordinary page; of a
// block without one it is known by what it was allocated. False if there is no memory: the block
// stays unknown, and the twin is the caller's.
INTERNAL bool tracker_add(struct page *page, void *block, size_t size, void *twin,
                          enum block_kind kind);
// A block is about to be free: says what was known of it, while it was in use. False if it is not
// remembered: it was not asked for, or (exact mode: tracker_look tells) it is free already. In
// exact mode the freeing stack is kept until the block is handed out again.
INTERNAL bool tracker_remove(struct page *page, void *block, struct tracker_block *known);
// What exact mode does in the ordinary case is in tracker_exact.h: to a call whose stack is known.
struct tracker_call {
  struct thread_state *state;
  struct thread_walk *walk;  // NULL: it is not known, and the thread not inside
};
// The calling thread's call, whose stack goes on from a frame, which is walked for that. It is
// unknown only if the thread has no state or is inside already.
INTERNAL struct tracker_call tracker_enter_anew(uintptr_t frame, bool is_free);

// A block that is about to be handed out is not to be remembered after all.
INTERNAL void tracker_withdraw(struct page *page, void *block);
// A block's contents are about to be in another block as well: what is known of them is then known
// there, too, and one of the two is to be withdrawn, which is not to be in use by anybody else. No
// allocation is counted. If there is no memory for it, or exact mode has no place for what was a
// sample, the other block stays unknown.
INTERNAL void tracker_copy(struct page *page, void *block, struct page *to_page, void *to_block);
// Its user has another size at the same place.
INTERNAL void tracker_resize(struct page *page, void *block, size_t size);

// False if nothing is known. The address may be anywhere in the block.
INTERNAL bool tracker_look(struct page *page, const void *address, struct tracker_block *known);
// The same, whatever lies at the address; false also if the block is not live.
INTERNAL bool tracker_find(const void *address, struct tracker_block *known);
// The same of a block whose page is no more. False also if the address is not its start.
INTERNAL bool tracker_look_past(const void *block, struct tracker_block *known);

// Calls the function for all remembered live blocks of a page, until it returns false; returns what
// it returned last. Others may allocate and free meanwhile: each block is as it was at some moment.
typedef bool (*tracker_visitor)(const struct tracker_block *block, void *argument);
INTERNAL bool tracker_visit(struct page *page, tracker_visitor visitor, void *argument);

// Milliseconds since the clock was started: from the first allocation on.
INTERNAL void tracker_start_clock(void);
INTERNAL uint32_t tracker_clock_ms(void);
// How many blocks there was no memory to remember.
INTERNAL uint64_t tracker_forgone(void);

#endif
