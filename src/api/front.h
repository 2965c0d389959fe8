// SPDX-License-Identifier: MIT
//
// The two functions that run a billion times, and what they try before the slow paths (allocate.h).
#ifndef API_FRONT_H
#define API_FRONT_H

#include "base/kind.h"

// What free says of a block.
static const struct block_claim front_free_claim = {.kind = KIND_MALLOC};

#ifdef MEND_HARDENED
#include "api/front_hardened.h"
#else
#include "api/front_plain.h"
#endif

#endif
