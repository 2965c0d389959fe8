// SPDX-License-Identifier: MIT
//
// Memory for a while, for who must not touch the allocator: the child of a fork that looks at its
// copy of the heap. One range is reserved, which costs no memory; pieces are cut off its front, and
// all go together.
#ifndef OS_SCRATCH_H
#define OS_SCRATCH_H

#include "base/internal.h"

struct os_scratch {
  char *start;
  size_t bytes;      // reserved
  size_t committed;  // accessible, from the start
  size_t used;       // cut off
};

// Reserves as much as can be had; false if that is next to nothing.
INTERNAL bool os_scratch_begin(struct os_scratch *scratch);
// A zeroed piece, aligned to 64 bytes; NULL if there is no memory. What is never touched of it
// costs none.
INTERNAL void *os_scratch_take(struct os_scratch *scratch, size_t bytes);
// The same for `count` pieces of this size, side by side.
INTERNAL void *os_scratch_take_array(struct os_scratch *scratch, size_t count, size_t bytes);
INTERNAL void os_scratch_end(struct os_scratch *scratch);

#endif
