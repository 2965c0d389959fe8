// SPDX-License-Identifier: MIT
//
// The kernel's clocks as one number.
#ifndef TOOLS_CLOCK_H
#define TOOLS_CLOCK_H

#include <stdint.h>
#include <time.h>

enum { NS_A_MS = 1000000, NS_A_SECOND = 1000000000 };

// Nanoseconds of CLOCK_MONOTONIC, say.
int64_t clock_ns(clockid_t clock);

#endif
