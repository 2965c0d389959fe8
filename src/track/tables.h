// SPDX-License-Identifier: MIT
//
// Memory for what tracking keeps: cut off from large pieces of metadata that hold nothing else, so
// that statistics can tell how much of it there is. Nothing is ever given back, and nothing locked:
// a signal handler and the child of a fork find the pieces whole.
#ifndef TRACK_TABLES_H
#define TRACK_TABLES_H

#include "base/internal.h"

#define TRACK_PIECE_BYTES ((size_t)1 << 20)

// Zeroed memory, aligned to 64; NULL if there is none. Any thread.
INTERNAL void *track_table_allocate(size_t bytes);
// The same for a place that may be NULL still, by whichever thread comes first; what the place
// holds, or NULL if there is no memory.
INTERNAL void *track_table_make(_Atomic(void *) *place, size_t bytes);
// The sum of what the function says of all pieces.
typedef size_t (*track_table_measure)(void *argument, uintptr_t from, uintptr_t to);
INTERNAL size_t track_tables_measured(track_table_measure function, void *argument);

#endif
