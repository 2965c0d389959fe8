// SPDX-License-Identifier: MIT
//
// Statistics that a process has written as JSON (docs/stats.md), as a table for people.
#ifndef TOOLS_STATS_VIEW_H
#define TOOLS_STATS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct stats_view {
  bool shows_all;  // every class, heap and thread, not just the largest; and figures that are 0
  bool is_exact;   // bytes, and not KiB and MiB
};

// Reads the text, which `name` tells in complaints, and writes the table. False after a complaint.
bool stats_view_write(const struct stats_view *view, const char *text, size_t length,
                      const char *name, FILE *stream);
// Whether the text is such statistics; complains if it is not.
bool stats_view_check(const char *text, size_t length, const char *name);

#endif
