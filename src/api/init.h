// SPDX-License-Identifier: MIT
//
// The start of the library and its end.
#ifndef API_INIT_H
#define API_INIT_H

#include "base/internal.h"

// Reads the options and starts the core, once; any thread, from inside the first allocation, which
// may come before any constructor has run.
INTERNAL void init_once(void);

#endif
