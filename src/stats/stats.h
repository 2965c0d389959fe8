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
// Blocks that a heap keeps: small ones in bins, linked through themselves, and so with memory;
// others ready to be handed out, or freed and kept from use, perhaps without memory.
enum stats_kept { KEPT_IN_BIN, KEPT_APART, KEPT_FROM_USE };
typedef void (*stats_kept_visitor)(void *argument, enum stats_kept kept, unsigned size_class,
                                   const void *block);
// Inside; the owner, or of a shared heap.
INTERNAL void stats_each_kept(struct heap *heap, stats_kept_visitor visitor, void *argument);
// The pages of a heap that was given up in a fork are not counted; so nor are such blocks of them.
INTERNAL bool stats_is_counted(const void *block);
// Blocks that are kept in place of samples: their bytes.
INTERNAL size_t stats_twin_bytes(void);
// What one heap has, large blocks of a thread's own excepted. Inside it.
INTERNAL void stats_of_heap(struct heap *heap, struct mend_stats_row *row);
// mend_stats_visit, of one kind of rows. After registry_init.
INTERNAL bool stats_visit_kind(uint64_t kind, mend_stats_function function, void *argument);
// Blocks of a list or bitmap page that are handed out, or kept ready by threads. Inside its heap.
INTERNAL uint32_t stats_live_blocks(struct page *page);
// Writes the table for people.
INTERNAL void stats_print(void);

#endif
