// SPDX-License-Identifier: MIT
//
// What `mend top` shows of one look at a heap, as text of plain ASCII or as JSON.
#ifndef TOOLS_TOP_VIEW_H
#define TOOLS_TOP_VIEW_H

#include <stdio.h>

#include "remote.h"

enum top_sort { SORT_LIVE, SORT_FREE, SORT_SIZE };

enum { SORT_COUNT = SORT_SIZE + 1 };

// What rates are taken of.
struct top_moment {
  uint64_t nanoseconds;  // of a clock; 0: there was no look before
  uint64_t live_bytes;
  uint64_t resident_bytes;
  uint64_t purged_bytes;
  uint64_t os_call_count;
};

struct top_view {
  struct remote *remote;
  struct top_moment now;
  struct top_moment before;
  enum top_sort sort;
  size_t rows;       // lines that there is room for; 0: any number
  const char *note;  // at the end of the first line
};

void top_moment_take(struct top_moment *moment, const struct remote *remote);
void top_view_write(FILE *stream, const struct top_view *view);
// One object, in a line.
void top_view_write_json(FILE *stream, const struct top_view *view);

extern const char *const top_sort_names[SORT_COUNT + 1];  // the last is NULL

#endif
