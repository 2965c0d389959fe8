// SPDX-License-Identifier: MIT
//
// What the build trades: speed and size, or hardness (hardened).
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#ifdef MEND_HARDENED
#include "core/policy_hardened.h"
#else
#include "core/policy_plain.h"
#endif

#endif
