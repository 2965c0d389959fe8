// SPDX-License-Identifier: MIT
//
// A heap map as one HTML page that needs nothing else: the template map.html, which is a part of
// the command, with figures as text and the pages as data for its script.
#ifndef TOOLS_MAP_HTML_H
#define TOOLS_MAP_HTML_H

#include "snapshot.h"

// False, after a complaint, if the file could not be written.
bool html_write(const struct snapshot *snapshots, size_t count, const char *path);

#endif
