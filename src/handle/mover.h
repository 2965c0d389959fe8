// SPDX-License-Identifier: MIT
//
// The mover: empties pages by moving their objects elsewhere, while threads use them.
//
// A batch of objects at a time, it
//   announces   each entry becomes MOVING;
//   waits       until every scope that was open by then has closed (a grace period): whoever holds
//               an address that was resolved before has given it up, and whoever resolves from now
//               on meets MOVING;
//   copies      the objects that are still MOVING and not pinned;
//   commits     each by one exchange of MOVING at the old address for LIVE at the new one.
// A reader that meets MOVING exchanges it for LIVE (object.h): then the commit fails, and the copy,
// which may be torn, is thrown away. So a commit that succeeds has copied an object that nobody
// could write to meanwhile, and its old block is free at once. A mover that is stopped anywhere is
// in nobody's way. docs/Internals.md has the whole argument; tests/protocol has a model of it.
//
// Where a copy could not be thrown away, MOVING becomes COPYING before it, for which readers wait:
// for objects of a type that moves them itself, and in the strict mode for all. That is for
// checkers: for ThreadSanitizer a copy that is thrown away is a race, and those that are told of
// each block would report it where the object has been freed meanwhile.
//
// Pages that are to be emptied (sources) are closed to allocation from the plan on. The mover finds
// their objects by walking the handle table, in which a look at the page of each block tells which
// ones they are: so nothing has to lead from a block back to its entry. A page that could not be
// emptied stays closed until the pass ends, when it has lost what it can.
#ifndef HANDLE_MOVER_H
#define HANDLE_MOVER_H

#include "handle/evacuation.h"
#include "handle/planner.h"
#include "mend/handle.h"

enum {
#ifdef MEND_STRESS
  MOVER_BATCH = 3,    // objects in a batch, at most
  MOVER_TARGETS = 2,  // blocks taken to move to at a time, at most
  MOVER_SCAN = 64,    // entries looked at for a batch, at most
#else
  MOVER_BATCH = 2048,
  MOVER_TARGETS = 64,
  MOVER_SCAN = 1 << 16,
#endif
  MOVER_BATCH_BYTES = 1 << 20,
  MOVER_ROUNDS = 3,      // attempts at an object
  MOVER_RETRIES = 4096,  // objects that are tried again, at most
};

struct move {
  void *from;          // where the object is
  void *to;            // the block it moves to
  uint64_t announced;  // what its entry has been made
  uint32_t index;      // of its entry
  uint32_t next;       // the next move of the class, + 1
  uint32_t info;       // of the object, when `to` was chosen
  bool is_going;       // it was neither pinned nor called off then
  bool is_exclusive;   // readers wait for its copy
};

struct mover {
  struct evacuation evacuation;
  uint32_t round;                   // 0: no pass is under way
  uint32_t next_index;              // the first round: the entry to go on with,
  uint32_t end_index;               // and where it ends
  uint32_t retry_count;             // the other rounds: those left to be tried again
  uint32_t retries[MOVER_RETRIES];  // their indices
  uint32_t vetoed_count;            // for the next round
  uint32_t vetoed[MOVER_RETRIES];
  uint32_t move_count;
  struct move moves[MOVER_BATCH];
  uint32_t first_of_class[SIZE_CLASS_COUNT];  // moves of a class, + 1
};

// All of these by who holds the heap's mover_lock.
//
// Begins a pass, or goes on with the one that is under way; false if there is no memory.
INTERNAL bool mover_begin(struct handle_heap *heap, struct mend_defrag_report *report);
// Begins a pass that moves a few objects, whether that is worth anything or not: `count` from
// *index on, which is advanced. False if there are none, no memory, or a pass is under way.
INTERNAL bool mover_begin_anywhere(struct handle_heap *heap, uint32_t *index, uint32_t count);
// Moves one batch of at most so many objects and bytes. MEND_OK: there is nothing left to move.
// MEND_PARTIAL: there is. MEND_BLOCKED: so, but nothing was moved. MEND_NO_MEMORY: to move to.
// Waits for scopes up to grace_ns.
INTERNAL enum mend_status mover_move(struct handle_heap *heap, size_t objects, size_t bytes,
                                     uint64_t grace_ns, struct mend_defrag_report *report);
// Ends the pass, finished or not: opens what is closed.
INTERNAL void mover_end(struct handle_heap *heap, struct mend_defrag_report *report);
// The same for a heap that ends.
INTERNAL void mover_destroy(struct handle_heap *heap);

// In the child of a fork: a mover that another thread was is undone.
INTERNAL void mover_after_fork(struct handle_heap *heap);

#endif
