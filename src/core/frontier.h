// SPDX-License-Identifier: MIT
//
// Growing past the frontier (runs.h): makes fresh slices accessible and gives them descriptors.
//
// Two ranges of addresses are found at the start, and by default not reserved: the region, which
// blocks lie in, and the table of its slices' descriptors. Both are made accessible from their
// starts upwards, in steps that grow. Where somebody else has mapped memory inside the region the
// frontier steps over it: what is skipped is never handed out and counts as nothing. All by who
// holds the lock of chunk.c.
#ifndef CORE_FRONTIER_H
#define CORE_FRONTIER_H

#include "core/runs.h"

// How far it is, for those who read the heap from outside.
struct frontier_extent {
  size_t end_bytes;      // up to here the region is accessible, but for what is skipped
  size_t skipped_bytes;  // where somebody else's mappings lie
};
INTERNAL_DATA struct frontier_extent frontier_extent;

// Finds both ranges. False if there is no address space at all.
INTERNAL bool frontier_init(void);
// The clean slices at the end of what was reached, and as many fresh ones as are missing, as one
// run. NULL if they cannot be had there.
INTERNAL struct page *frontier_take(uint32_t slices, uint32_t alignment);
// Moves the frontier past somebody else's mapping, to where as many slices can be had. False if
// nobody is in the way, or nothing can be had behind it.
INTERNAL bool frontier_step_over(uint32_t slices, uint32_t alignment);
// What is accessible of the region, and of the table.
INTERNAL size_t frontier_committed_bytes(void);
INTERNAL size_t frontier_table_bytes(void);
// What was handed out at least once, or filed.
INTERNAL size_t frontier_reached_bytes(void);

// Where the variables are: they hold addresses in the region that lead to no block.
INTERNAL const void *frontier_variables(size_t *bytes);

// In the child of a fork, where another thread may have been at any of these: takes back what was
// made accessible and not written down. The slices that are skipped are to be counted anew.
INTERNAL void frontier_settle(void);
INTERNAL void frontier_set_skipped(size_t bytes);

INTERNAL void frontier_assert_valid(void);

#endif
