// SPDX-License-Identifier: MIT
//
// A process may have only so many mappings. A run of slices that the kernel moved, or that huge
// pages were asked for, is a mapping of its own until a fresh one replaces it: PAGE_IS_SPLIT. This
// counts how many mappings that makes, and keeps them within a budget.
//
// Nothing here is locked: who calls has the run to itself.
#ifndef CORE_MAPPING_H
#define CORE_MAPPING_H

#include "core/page.h"

// The kernel is about to see the run as a mapping of its own. Returns false if the budget does not
// allow that; else the run is PAGE_IS_SPLIT until it is renewed.
INTERNAL bool mapping_split(struct page *run);
// Replaces all of the run's memory by a fresh mapping that is part of its surroundings again.
// Returns false, and changes nothing, if the kernel refuses.
INTERNAL bool mapping_renew(struct page *run);
// A free run has been cut off another and shares its flags: if that makes one mapping more than the
// budget allows, its memory is renewed, and it is PAGE_IS_ZERO then.
INTERNAL void mapping_cut_off(struct page *run);
// Two runs become one, and are counted as one mapping from now on, though the kernel may go on
// seeing two where pages were moved: the budget is then exceeded. Returns PAGE_IS_SPLIT if that is
// what the whole is, or 0.
INTERNAL uint8_t mapping_join(uint8_t flags, uint8_t other_flags);

// How many mappings there are on account of runs that are split.
INTERNAL size_t mapping_count(void);

#endif
