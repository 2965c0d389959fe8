// SPDX-License-Identifier: MIT
//
// A bar on stderr for what takes more than a second: on a terminal only, drawn at most ten times a
// second, and gone when the work is done.
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
  const char *what;    // is being done
  int64_t started_ms;  // of the monotonic clock
  int64_t drawn_ms;    // the last time; 0: not yet
  bool is_on_terminal;
};

struct progress progress_begin(const char *what);
// `share` of the work is done, from 0 to 1.
void progress_show(struct progress *progress, double share);
// Must come before anything else is printed.
void progress_end(struct progress *progress);

#endif
