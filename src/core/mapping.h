// SPDX-License-Identifier: MIT
//
// A process may have only so many mappings. Slices that the kernel moved, that huge pages were
// asked for, or that are bound to a NUMA node, are mappings of their own until a fresh one replaces
// them. This counts how many that makes, and keeps them within a budget.
//
// What is counted are edges, where one mapping may end and the next begin: each slice's descriptor
// says which there are at its start, inside it, and at its end (`edges`). No edge is forgotten
// before the memory on one side of it is mapped anew, whatever runs the slices have been cut and
// merged into. So the count is not below the kernel's, but for a few mappings that the kernel could
// merge and does not; an edge that both sides know counts twice. A run with an edge is
// PAGE_IS_SPLIT.
//
// Nothing here is locked: who calls has the run to itself, or the chunk lock where it is free.
#ifndef CORE_MAPPING_H
#define CORE_MAPPING_H

#include "core/page.h"
#include "os/node.h"

// The kernel is about to see the run as a mapping of its own. Returns false if the budget does not
// allow that; else the run is PAGE_IS_SPLIT until it is renewed.
INTERNAL bool mapping_split(struct page *run);
// The same of the first `bytes` of the run, onto which the kernel moves those of another, with the
// edges that are among them.
INTERNAL bool mapping_move(struct page *run, const struct page *from, size_t bytes);
// Splits the run off and binds it to a NUMA node, or binds it once more. From the attempt on,
// whatever it comes to, the run is PAGE_IS_BOUND until it is renewed or unbound.
INTERNAL enum os_bound mapping_bind(struct page *run, int node);
// Lets go of the binding where the run cannot be renewed. False if the kernel refuses this, too.
INTERNAL bool mapping_unbind(struct page *run);
// Replaces all of the run's memory by a fresh mapping that is part of its surroundings again.
// Returns false, and changes nothing, if the kernel refuses.
INTERNAL bool mapping_renew(struct page *run);
// A free run has been cut off the one before it and shares its flags: if those are split, there
// will be an edge as soon as either is renewed. If the budget does not allow that, the run is not
// split any more: it is renewed now, and PAGE_IS_ZERO then, unless it has no edge at all.
INTERNAL void mapping_cut_off(struct page *run);
// Two neighbours are about to become one run, which is PAGE_IS_SPLIT if one of them was.
INTERNAL void mapping_join(struct page *left, struct page *right);

// How many mappings there are on account of runs that are split, at most.
INTERNAL size_t mapping_count(void);
INTERNAL_DATA _Atomic(size_t) mapping_total;  // the same for those who read it from outside

INTERNAL void mapping_assert_valid(const struct page *run);

#endif
