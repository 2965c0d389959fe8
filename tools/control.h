// SPDX-License-Identifier: MIT
//
// Asks a running process on mend, over the socket that it has opened for that (MEND_CONTROL=1, or
// mend_control_start). The requests, one line each, are in docs/stats.md.
#ifndef TOOLS_CONTROL_H
#define TOOLS_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Sends a request, "stats json", and waits for the answer, but only until the descriptor
// `cancel` can be read; -1 if there is none. Returns a descriptor of a file in memory with all of
// the answer, to be read from its start, or -1: `why`, of at least CONTROL_WHY_MOST bytes, then has
// a sentence that says what is wrong.
enum { CONTROL_WHY_MOST = 256 };
int control_try(pid_t pid, const char *request, int cancel, char why[static CONTROL_WHY_MOST]);

// The same without `cancel`, with a complaint. A process that is younger than a second may not
// answer yet: it is tried again until it is older.
int control_ask(pid_t pid, const char *request);

// Whether the process would answer; it is not asked for anything.
bool control_answers(pid_t pid);

#endif
