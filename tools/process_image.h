// SPDX-License-Identifier: MIT
//
// Whether a process is still there, and whether it is still the same program: an exec keeps its
// number and the time of its start, but not the addresses that the kernel tells a program at its
// beginning, which are drawn anew.
#ifndef TOOLS_PROCESS_IMAGE_H
#define TOOLS_PROCESS_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// A number that an exec changes; always the same where that can't be told.
uint64_t process_image(pid_t process);

// One that has ended has no memory, also while its parent has not asked for its end.
bool process_is_gone(pid_t process);

#endif
