// SPDX-License-Identifier: MIT
//
// What a process tells of itself, for `mend serve`: who holds its memory, and what that consists
// of. A thread of its own asks the process, when somebody wants to know and the last answer is old,
// and names the functions; that takes long where there is much debug information. A process answers
// if its option `control` is on, and has a profile if it samples (option `profile`). Nobody here
// waits for it: a process that is stopped does not answer at all.
#ifndef TOOLS_SERVE_SITES_H
#define TOOLS_SERVE_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "control.h"

struct sites;

// NULL after a complaint.
struct sites *sites_open(pid_t process);
// Waits for no answer either.
void sites_close(struct sites *sites);

// The last profile as JSON, to be freed: the tree of flame_write as "profile", or "reason", why
// there is none. NULL if there is no memory.
char *sites_json(struct sites *sites, size_t *length);
// The last statistics as the process writes them, to be freed; or "reason". NULL likewise.
char *sites_stats(struct sites *sites, size_t *length);
// The last profile for pprof, to be freed. NULL: there is none, and `why` says why.
char *sites_pprof(struct sites *sites, size_t *length, char why[static CONTROL_WHY_MOST]);
// Whether it is worth while to wait: the last profile is old, and the process has been asked for
// another one no longer than some seconds ago.
bool sites_are_coming(struct sites *sites);

#endif
