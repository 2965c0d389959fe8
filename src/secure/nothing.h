// SPDX-License-Identifier: MIT
//
// Blocks of no bytes: each has an address of its own, 16 bytes from the next, and every access to
// it faults. They come from a heap whose pages are all guard.
#ifndef SECURE_NOTHING_H
#define SECURE_NOTHING_H

#include "core/heap.h"

// The heap that they are from; NULL if there is no memory for it, or if they are ordinary blocks
// (level 0).
INTERNAL struct heap *nothing_heap(void);

#endif
