// SPDX-License-Identifier: MIT
//
// A profile as a tree of calls, outermost first, for a flame graph: JSON.
#ifndef TOOLS_SERVE_FLAME_H
#define TOOLS_SERVE_FLAME_H

#include <stdio.h>

#include "profile.h"

// {"total":N,"count":N,"rows":[...],"tree":{"name":...,"value":N,"children":[...]}}. What is less
// than a thousandth of the total is left out. False after a complaint.
bool flame_write(const struct profile *profile, FILE *stream);

#endif
