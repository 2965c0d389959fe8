// SPDX-License-Identifier: MIT
//
// The heap in numbers, gathered by walking what the core already knows: the fast paths count
// nothing for it.
#ifndef STATS_STATS_H
#define STATS_STATS_H

#include "base/internal.h"
#include "mend/stats.h"

// One size class, over all heaps.
struct stats_class {
  size_t page_count;
  size_t live_count;
  size_t free_count;  // blocks that have been carved and are free
};

INTERNAL struct mend_stats stats_collect(void);
INTERNAL struct stats_class stats_of_class(unsigned size_class);
// Writes the table for people.
INTERNAL void stats_print(void);

#endif
