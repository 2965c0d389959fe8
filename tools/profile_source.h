// SPDX-License-Identifier: MIT
//
// Where the track files of profiles come from: a file, a program that is run with the profiler on,
// or a running process that answers the command; of the latter also two, one after a while.
#ifndef TOOLS_PROFILE_SOURCE_H
#define TOOLS_PROFILE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "launch.h"
#include "profile.h"
#include "track_file.h"
#include "track_folder.h"

struct profile_source {
  char path[LAUNCH_PATH_MOST];  // of the track file
  int descriptor;               // that the path leads to, or -1
  char name[64];                // for people, of what is no file; else ""
};

// From a file.
bool profile_source_file(struct profile_source *source, const char *path);

// Asks a process. False after a complaint. All sources must be closed, those that failed may be.
bool profile_source_ask(struct profile_source *source, pid_t pid);
void profile_source_close(struct profile_source *source);

// Begins to profile a process that does not, with `interval` bytes from sample to sample or 0 for
// the process's own choice, waits so many seconds, or until it is interrupted, and has what there
// was before and after. False after a complaint; either way both must be closed.
bool profile_source_watch(struct profile_source *old, struct profile_source *new, pid_t pid,
                          uint64_t interval, double seconds);

// Runs the program of `launch` to its end, with `interval` as above. Of all that it and the
// processes that it has started have written, at their ends and as they grew, it has the one file
// in which there is most of what is asked for: so of live blocks those near the peak. False, after
// a complaint, if there is none. Either way the folder, in which the file is, has to be removed.
bool profile_source_run(struct profile_source *source, struct launch *launch,
                        struct track_folder *folder, uint64_t interval, enum profile_by by);

// Reads it. False after a complaint. Either way track_free. The source must last as long.
bool profile_source_read(const struct profile_source *source, struct track_file *file);

#endif
