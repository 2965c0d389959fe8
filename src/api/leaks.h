// SPDX-License-Identifier: MIT
//
// Leak checks for the rest of the api: mend_leak_check, and the same at the exit.
#ifndef API_LEAKS_H
#define API_LEAKS_H

#include "base/internal.h"
#include "mend/track.h"

// `is_exit`: at once, with the other threads parked, since they have nothing better to do.
INTERNAL bool leaks_check(struct mend_leaks *summary, int descriptor, bool is_exit);
// Once, before the first check.
INTERNAL void leaks_register_forks(void);

#endif
