// SPDX-License-Identifier: MIT
//
// Looking after all heaps. Now and then some thread's slow path finds that a tick is due and gives
// back what heaps have no use for, whoever owns them: so the memory of an idle thread comes back
// even if that thread never does. A heap that somebody is inside of is left to a later tick.
#ifndef CORE_UPKEEP_H
#define CORE_UPKEEP_H

#include "base/internal.h"

// Does what is due, if it is.
INTERNAL void upkeep_tick(void);
// Gives back what the calling thread's heap and, with `all`, what every heap does not need, in the
// latter case down to the kernel as far as it lies inside pages; says how many bytes of that kind.
INTERNAL size_t upkeep_collect(bool all);

#endif
