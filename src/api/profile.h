// SPDX-License-Identifier: MIT
//
// Tracking as the options ask for it.
#ifndef API_PROFILE_H
#define API_PROFILE_H

#include "base/internal.h"

// Begins to remember, from the first allocation on.
INTERNAL void profile_start_by_options(void);
// What is written at signals and at the exit; from the library's constructor.
INTERNAL void profile_register(void);

#endif
