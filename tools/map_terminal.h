// SPDX-License-Identifier: MIT
//
// A heap map as lines of text: a picture, or two of the same addresses, their legend, and figures.
#ifndef TOOLS_MAP_TERMINAL_H
#define TOOLS_MAP_TERMINAL_H

#include "snapshot.h"

enum { TERMINAL_WIDTH_LEAST = 40, TERMINAL_WIDTH_MOST = 1000 };

struct terminal {
  size_t width;     // columns
  bool has_colour;  // understands ANSI colours
  bool has_utf8;
};

// Writes to stdout. False, after a complaint, if there is no memory.
bool terminal_draw(const struct snapshot *snapshots, size_t count, const struct terminal *terminal);

#endif
