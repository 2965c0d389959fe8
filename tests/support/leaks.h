// SPDX-License-Identifier: MIT
//
// A leak check on a wiped stack, and what it has found.
#ifndef SUPPORT_LEAKS_H
#define SUPPORT_LEAKS_H

#include "hidden.h"
#include "mend/track.h"
#include "suite.h"

__attribute__((noinline)) static void look_into(struct mend_leaks *leaks)
{
  *leaks = (struct mend_leaks){.bytes = sizeof *leaks};
  CHECK(mend_leak_check(leaks, -1));
}

// A part of its caller: so what is wiped is all that the caller's calls have left.
__attribute__((always_inline)) static inline struct mend_leaks look(void)
{
  struct mend_leaks leaks;
  wipe_stack();
  look_into(&leaks);
  return leaks;
}

static inline size_t all_lost(const struct mend_leaks *leaks)
{
  return leaks->direct_count + leaks->indirect_count + leaks->cycle_count + leaks->handle_count +
         leaks->rc_cycle_count;
}

#endif
