// SPDX-License-Identifier: MIT
//
// The lines of resident memory. What mend knows of each place says what it is, and the kernel how
// much of it there is: the sum of the lines is made of the kernel's figures alone. What waits in
// bins, stands for samples, or was not asked for is taken from one line to another by its size, as
// far as there is so much in the first.
#ifndef STATS_RESIDENT_H
#define STATS_RESIDENT_H

#include "base/internal.h"
#include "mend/stats.h"

// False if there is no memory for a heap.
INTERNAL bool resident_measure(struct mend_resident *resident);

#endif
