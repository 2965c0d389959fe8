// SPDX-License-Identifier: MIT
//
// The heap in numbers, gathered by walking what the core already knows: the fast paths count
// nothing for it.
#ifndef STATS_STATS_H
#define STATS_STATS_H

#include "base/internal.h"
#include "mend/stats.h"

struct heap;
struct page;

// One size class, over all heaps.
struct stats_class {
  size_t page_count;
  size_t live_count;
  size_t free_count;  // blocks that have been carved and are free
};

// What there is, and in `classes` (SIZE_CLASS_COUNT of them; NULL: not wanted) the same by class.
INTERNAL struct mend_stats stats_collect(struct stats_class *classes);
// What one heap has, large blocks of a thread's own excepted. Inside it.
INTERNAL void stats_of_heap(struct heap *heap, struct mend_stats_row *row);
// Blocks of a list or bitmap page that are handed out, or kept ready by threads. Inside its heap.
INTERNAL uint32_t stats_live_blocks(struct page *page);
// Writes the table for people.
INTERNAL void stats_print(void);

#endif
