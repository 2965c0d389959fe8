// SPDX-License-Identifier: MIT
//
// Handle heaps: a handle table, and lanes that the objects' blocks come from.
//
// A lane is a shared heap of the core (core/heap.h) whose pages are bitmap pages of objects, and a
// pool of free entries. Whoever makes an object takes the first lane that nobody is inside of,
// beginning with the one that this thread had last, and every 64th time with the first: so threads
// that allocate at the same time end up in lanes of their own, and one that does so alone leaves no
// free blocks behind in others; nobody waits while one is free, and who finds all taken waits for
// whichever is left first, so never for a mover that was stopped inside of one. Objects that never
// move, and large ones, are in lanes of their own.
//
// A block goes back to its page, and its entry to the lane of that page, from any thread, without a
// lock.
#ifndef HANDLE_HANDLE_HEAP_H
#define HANDLE_HANDLE_HEAP_H

#include "core/heap.h"
#include "handle/deferred.h"
#include "handle/handle_table.h"
#include "handle/pin_table.h"

enum {
#ifdef MEND_STRESS
  HANDLE_LANES = 2,  // for objects that move
#else
  HANDLE_LANES = 8,
#endif
  HANDLE_STILL_LANES = 2,  // for those that do not: behind the others
  HANDLE_ALL_LANES = HANDLE_LANES + HANDLE_STILL_LANES,
};

struct lane {
  struct heap blocks;  // its gate guards the lane
  struct index_pool indices;
  struct handle_heap *heap;
  bool is_still;  // its objects never move
};

struct mover;

enum slot_state { SLOT_FREE, SLOT_TAKEN, SLOT_WORN_OUT };

struct handle_heap {
  uint32_t slot;
  _Atomic(uint32_t) state;                         // enum slot_state
  _Atomic(struct lane *) lanes[HANDLE_ALL_LANES];  // made when they are first needed
  struct handle_table table;
  struct pin_table pins;
  struct deferred deferred;
  struct os_lock mover_lock;  // one mover at a time
  struct mover *mover;        // what a pass that is not over remembers (holder of mover_lock)
  bool has_stray_pages;       // closed by a mover that a fork has left behind (the same)
  bool has_given_up;          // lanes, since a fork: what they hold is not measured
  uint32_t stirred;           // up to where objects have been moved without need (the same)
};

// Starts what handles need, once; false if there is no memory for it.
INTERNAL bool handle_start(void);
// Once, after the core has registered its own, and before there is a second thread: what is done at
// a fork. It fails only for lack of memory: then a child may wait for a thread that it does not
// have.
INTERNAL void handle_register_forks(void);

// The heap of a slot, or NULL.
INTERNAL struct handle_heap *handle_heap_at(uint32_t slot);
// The heap that there is from the start; NULL if there is no memory.
INTERNAL struct handle_heap *handle_heap_default(void);
INTERNAL struct handle_heap *handle_heap_create(void);
// Waits for a mover; nobody else may be using the heap.
INTERNAL void handle_heap_destroy(struct handle_heap *heap);

// Goes into a lane; NULL if there is no memory for one. Left by lane_leave.
INTERNAL struct lane *lane_enter(struct handle_heap *heap, bool is_still);
static inline void lane_leave(struct lane *lane)
{
  heap_leave(&lane->blocks);
}
// Goes into a certain lane, waiting for whoever is there; false if there is no such lane.
INTERNAL bool lane_enter_number(struct handle_heap *heap, uint32_t number, struct lane **lane);

// The lane that a page of objects belongs to.
static inline struct lane *lane_of(struct page *page)
{
  return CONTAINER_OF(page_heap(page), struct lane, blocks);
}

// The page of an object's block.
static inline struct page *page_of_block(const void *block)
{
  return page_first(page_of_units(page_units(block)));
}

// Calls the function for the blocks of each lane of every heap, inside the lane.
INTERNAL void handle_heap_each_lane(void (*function)(struct heap *blocks, void *argument),
                                    void *argument);

// Gives back what unused pages there are, and their memory with `purges`. Says how many bytes went.
INTERNAL size_t handle_heap_collect(struct handle_heap *heap, bool purges);
// The same for all heaps, after the deferred frees whose time has come.
INTERNAL void handle_collect(void);

#endif
