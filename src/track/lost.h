// SPDX-License-Identifier: MIT
//
// How the blocks that nothing reaches hang together. They and what leads from one to another are a
// graph, whose strongly connected components are found by Tarjan's algorithm, with a stack in place
// of recursion. A component that no other leads to is where a leak began: a single block is lost
// *directly*, several are a *cycle*. All that these lead to is lost *indirectly*: it would come
// back with them.
//
// A block that holds its own address is a cycle by itself, but not one with an address in its
// middle: short strings are such.
#ifndef TRACK_LOST_H
#define TRACK_LOST_H

#include "track/reach.h"

enum lost_kind {
  LOST_DIRECT,
  LOST_INDIRECT,
  LOST_CYCLE,
  LOST_HANDLE,    // as direct, of an object: nobody has its handle any more
  LOST_RC_CYCLE,  // a cycle with counted objects in it
  LOST_KINDS,
};

// The address that a counted object in a block is known by; 0 if there is none in it.
typedef uintptr_t (*lost_counted)(uintptr_t block, size_t bytes);

struct lost_block {
  uintptr_t start;
  size_t bytes;
  uint8_t kind;  // enum lost_kind
  bool is_object;
  bool is_counted;
};

struct lost {
  struct lost_block *blocks;  // by rising numbers
  uint32_t count;
  uint32_t paged_count;  // of these, the first, in pages
};

// Of the live blocks that `reach` has not reached. False if there is no memory: up to 64 bytes for
// each.
INTERNAL bool lost_find(struct lost *lost, const struct reach *reach, struct os_scratch *scratch,
                        lost_counted counted);

// The size that was asked for an object, if it is among these.
INTERNAL void lost_set_bytes(struct lost *lost, uintptr_t start, size_t bytes);

#endif
