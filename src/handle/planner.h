// SPDX-License-Identifier: MIT
//
// Which pages a pass empties.
//
// The live objects of a size class fit into ceil(objects / blocks a page) pages. The plan keeps
// that many, the fullest, and empties the others into their free blocks: no plan that moves each
// object at most once frees more, and none that frees as much moves fewer. Pages are told apart by
// how full they are in 32nds only, so two walks over them suffice, and no memory that grows with
// the heap.
//
// Classes whose blocks are whole os pages are left alone: there a free block is returned by itself.
#ifndef HANDLE_PLANNER_H
#define HANDLE_PLANNER_H

#include "handle/evacuation.h"

#define PLAN_STEPS 32

struct class_plan {
  uint32_t pages[PLAN_STEPS + 1];  // by used blocks * PLAN_STEPS / capacity, rounded down
  uint64_t used[PLAN_STEPS + 1];   // their used blocks
  uint32_t capacity;
  uint32_t limit;    // pages of fewer steps are emptied,
  uint32_t quota;    // and so many of this step
  uint64_t objects;  // that move
  uint64_t emptied;  // pages
};

struct plan {
  struct class_plan classes[SIZE_CLASS_COUNT];
  uint64_t pages;  // examined
};

// Fills in the plan for a heap as it is now.
INTERNAL void plan_make(struct plan *plan, struct handle_heap *heap);
// Closes the pages that the plan empties, and makes them sources.
INTERNAL void plan_close_pages(struct plan *plan, struct handle_heap *heap,
                               struct evacuation *evacuation);

#endif
