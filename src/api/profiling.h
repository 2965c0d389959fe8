// SPDX-License-Identifier: MIT
//
// Tracking as the options ask for it.
#ifndef API_PROFILING_H
#define API_PROFILING_H

#include "base/internal.h"

// Begins to remember, from the first allocation on.
INTERNAL void profiling_start_by_options(void);
// What is written at signals and at the exit; from the library's constructor.
INTERNAL void profiling_register(void);

#endif
