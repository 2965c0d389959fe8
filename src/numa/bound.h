// SPDX-License-Identifier: MIT
//
// Blocks whose memory comes from one NUMA node and no other. Each is a large block, however small
// what was asked for: the kernel binds mappings, and a run of slices is what a mapping is made of.
// They belong to no heap.
#ifndef NUMA_BOUND_H
#define NUMA_BOUND_H

#include "core/page.h"
#include "os/node.h"

// A block on the node, aligned to `alignment` (a power of two; at least a slice in any case), that
// reads as zero. NULL if there is none; *outcome tells why.
INTERNAL void *bound_allocate(int node, size_t size, size_t alignment, enum os_bound *outcome);
// The node that a page is bound to; PAGE_ANY_NODE if it is not.
INTERNAL int bound_node(const struct page *page);

#endif
