// SPDX-License-Identifier: MIT
//
// How much of the memory that handle heaps hold is objects: the figures of mend_fragmentation.
#ifndef HANDLE_FRAGMENTATION_H
#define HANDLE_FRAGMENTATION_H

#include "handle/handle_heap.h"
#include "mend/handle.h"

// The figures of one heap or (NULL) all.
INTERNAL struct mend_fragmentation fragmentation_of(struct handle_heap *heap);
// The same of all heaps without what takes a look at each object: object_bytes is of large ones
// only, and the heap and all_in shares say nothing.
INTERNAL struct mend_fragmentation fragmentation_of_blocks(void);
// The shares, from the figures.
INTERNAL void fragmentation_finish(struct mend_fragmentation *sum);

#endif
