// SPDX-License-Identifier: MIT
//
// A folder of its own for the track files of a program and of all the processes that it starts: the
// library writes one for each, named after the process, as it ends. It is there from
// track_folder_make to track_folder_remove, which takes everything in it along.
#ifndef TOOLS_TRACK_FOLDER_H
#define TOOLS_TRACK_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { TRACK_FOLDER_MOST = 512 };

struct track_folder {
  char path[TRACK_FOLDER_MOST];
  char pattern[TRACK_FOLDER_MOST + 8];  // for the option track_file
  char **files;                         // of the processes, in the order of their numbers
  size_t count;
};

// Below TMPDIR, or /tmp. False after a complaint.
bool track_folder_make(struct track_folder *folder);
// Each of these forgets what was found before.
// Finds what has been written as processes ended; the file of `first`, if it is there, comes first:
// says whether it is.
bool track_folder_list(struct track_folder *folder, pid_t first);
// Finds everything that has been written whole, also what was written before the ends.
void track_folder_list_all(struct track_folder *folder);
// Finds what has been written whole of misuses.
void track_folder_list_misuses(struct track_folder *folder);
void track_folder_remove(struct track_folder *folder);

#endif
