// SPDX-License-Identifier: MIT
//
// A process that has just been started may not be yet what it will be: `mend run server &` is the
// command itself for a moment, and then a program whose libraries are being loaded. Who does not
// find in it what he looks for tries again while it is so young.
#ifndef TOOLS_PROCESS_AGE_H
#define TOOLS_PROCESS_AGE_H

#include <stdbool.h>
#include <sys/types.h>

// Waits a moment if the process is younger than a second; false, at once, if it is older or gone.
bool process_wait_young(pid_t process);

#endif
