// SPDX-License-Identifier: MIT
//
// The lines of resident memory. What mend knows of each place says what it is, and the kernel how
// much of it there is: the lines are made of the kernel's figures alone, and so is their sum.
#ifndef STATS_RESIDENT_H
#define STATS_RESIDENT_H

#include "base/internal.h"
#include "mend/stats.h"

// False if there is no memory for a heap.
INTERNAL bool resident_measure(struct mend_resident *resident);

#endif
