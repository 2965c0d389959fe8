// SPDX-License-Identifier: MIT
//
// What is done to a track file when all of its lines are read: numbers of stacks and threads, which
// may be told behind those who name them, become indices.
#ifndef TOOLS_TRACK_RESOLVE_H
#define TOOLS_TRACK_RESOLVE_H

#include "track_file.h"
#include "track_words.h"

// The stack that is not known, of number 0, must be there. False after a complaint.
bool track_resolve(struct track_file *file, const struct track_words *words);

#endif
