// SPDX-License-Identifier: MIT
//
// Passes: a plan, its moves, and the return of what has become free; whole, or step by step within
// a budget, or by a thread in the background.
#ifndef HANDLE_DEFRAG_H
#define HANDLE_DEFRAG_H

#include "handle/handle_heap.h"
#include "mend/handle.h"

// As the public functions of these names; `heap` NULL: all heaps. The report is never NULL.
INTERNAL enum mend_status defrag_pass(struct mend_defrag_report *report);
INTERNAL enum mend_status defrag_step(struct handle_heap *heap,
                                      const struct mend_defrag_budget *budget,
                                      struct mend_defrag_report *report);
INTERNAL enum mend_status defrag_plan(struct mend_defrag_report *report);
INTERNAL enum mend_status defrag_start(struct mend_defrag_options options);
INTERNAL void defrag_stop(void);
// Moves a few objects without need, if nobody is in the way: for the option that does so whenever
// an outermost scope has closed.
INTERNAL void defrag_stir(void);
INTERNAL void defrag_after_fork(void);

#endif
