// SPDX-License-Identifier: MIT
//
// The statistics that a process leaves behind when it ends: options stats_file and stats_format.
#ifndef STATS_EXIT_FILE_H
#define STATS_EXIT_FILE_H

#include "base/internal.h"

// Remembers which process is the first to have the file's name. Once, at the start.
INTERNAL void exit_file_start(void);
// Writes the file; says on the output if that does not work.
INTERNAL void exit_file_write(void);

#endif
