// SPDX-License-Identifier: MIT
//
// How much of a block the user may touch. Normally all of it (extent_plain.h); under a checker
// exactly what was asked for, which then has to be remembered (extent_exact.h); and in the hardened
// build as well (extent_hardened.h).
#ifndef API_EXTENT_H
#define API_EXTENT_H

#include "base/annotate.h"
#include "base/kind.h"

#ifdef MEND_HARDENED
#include "api/extent_hardened.h"
#elif ANNOTATE_ACTIVE
#include "api/extent_exact.h"
#else
#include "api/extent_plain.h"
#endif

#endif
