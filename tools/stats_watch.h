// SPDX-License-Identifier: MIT
//
// The statistics of a running process again and again, each figure with how much it has changed a
// second since the line before: a line a look, for people or as JSON.
#ifndef TOOLS_STATS_WATCH_H
#define TOOLS_STATS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stats_watch {
  pid_t process;
  double interval;  // seconds from one look to the next
  size_t rounds;    // 0: until the process has ended
  bool is_json;
  bool is_exact;  // bytes, and not K, M and G
};

// False after a complaint: the process does not answer, or the output could not be written. That it
// ends after the first look is none.
bool stats_watch(const struct stats_watch *watch);

#endif
