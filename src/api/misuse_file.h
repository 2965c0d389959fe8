// SPDX-License-Identifier: MIT
//
// A misuse as a track file (docs/track-file.md): what has been written to be read at once has bare
// addresses; with the mappings that are in a track file `mend leaks` finds functions, source files
// and lines, when the process is no more.
#ifndef API_MISUSE_FILE_H
#define API_MISUSE_FILE_H

#include "secure/misuse.h"
#include "track/tracker.h"

// Writes the file that the option track_file names, with `.misuse` behind it: of the first misuse
// of a process. `known` is what the tracker has said of the block. Any thread; signal handlers:
// where waiting would be needed, nothing is written.
INTERNAL void misuse_file_write(const struct misuse *misuse, const struct tracker_block *known);

#endif
