// SPDX-License-Identifier: MIT
//
// A misuse of the heap that has been found in exact mode: what the process itself has said of it
// with bare addresses, with functions, files and lines.
#ifndef TOOLS_MISUSE_TEXT_H
#define TOOLS_MISUSE_TEXT_H

#include <stdio.h>

#include "track_file.h"

// False after a complaint.
bool misuse_text_write(const struct track_file *file, FILE *stream);

#endif
