// SPDX-License-Identifier: MIT
//
// Which blocks the tracker is told of: in exact mode all, in sampled mode each with the probability
// that its size says (core/sampling.h).
//
// This is for blocks whose frees all look at their pages: of bitmap pages and large ones, whether
// they are the malloc family's or objects with handles. The malloc family's small blocks, which are
// freed unseen, have their own way to become samples (api/tracking.c).
#ifndef TRACK_REMEMBER_H
#define TRACK_REMEMBER_H

#include "base/kind.h"
#include "core/heap.h"
#include "core/sampling.h"

// Remembers a block for which the mode was looked at in this state. False if it stays unknown.
INTERNAL bool remember_block(struct page *page, void *block, size_t size, enum block_kind kind,
                             uint32_t state);
// A block that was just handed out, likewise. Inside no heap.
INTERNAL NOINLINE void remember_if_due(struct page *page, void *block, size_t size,
                                       enum block_kind kind, uint32_t state);
// A block was resized where it is; `is_other` if it holds more or less than before. Inside no heap.
INTERNAL NOINLINE void remember_resized(struct page *page, void *block, size_t size, bool is_other);
// All blocks of a heap are about to be given back at once. Inside it.
INTERNAL void remember_heap_end(struct heap *heap);

#endif
