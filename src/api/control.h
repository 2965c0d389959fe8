// SPDX-License-Identifier: MIT
//
// The control socket: answers of a running process to the command `mend`, for those of its user.
#ifndef API_CONTROL_H
#define API_CONTROL_H

#include "base/internal.h"

// For the child of a fork, which answers under its own number if its parent did.
INTERNAL void control_register_forks(void);

#endif
