// SPDX-License-Identifier: MIT
//
// Why a process does not answer, as far as that can be told from what /proc shows of it.
#ifndef TOOLS_SILENCE_H
#define TOOLS_SILENCE_H

#include <stdbool.h>
#include <sys/types.h>

// Of one that nobody answers for: a sentence in which %ld stands for its number.
const char *silence_reason(pid_t pid);

// Whether one whose answer has not come has ended, or is about to: its sockets are closed before it
// is gone. Also true of one that nobody has waited for.
bool silence_is_end(pid_t pid);

#endif
