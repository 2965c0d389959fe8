// SPDX-License-Identifier: MIT
//
// The heaps of another process: the chain of threads' and first-class ones, the common heap, and
// those that pages lead to, which hold objects.
#ifndef TOOLS_REMOTE_HEAPS_H
#define TOOLS_REMOTE_HEAPS_H

#include "remote.h"

// Reads all but those of objects anew.
void remote_heaps_read(struct remote *remote);
// A copy of the structure at an address, to be freed; NULL if it cannot be read.
char *remote_heap_copy(const struct remote *remote, uint64_t address);
// Adds up the free blocks that heaps keep ready, in the heaps and by class: the classes' block
// sizes are known. (remote_kept.c)
void remote_heaps_count_kept(struct remote *remote);

#endif
