// SPDX-License-Identifier: MIT
//
// How much of the metadata is tracking's: what has been set aside for its tables, as far as it is
// in use. For statistics alone.
#ifndef TRACK_TABLES_H
#define TRACK_TABLES_H

#include "base/internal.h"

INTERNAL_DATA _Atomic(size_t) track_table_bytes;

static inline void track_count_table(size_t bytes)
{
  atomic_fetch_add_explicit(&track_table_bytes, bytes, memory_order_relaxed);
}

#endif
