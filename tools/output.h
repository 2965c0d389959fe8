// SPDX-License-Identifier: MIT
//
// Where a report goes: stdout, stderr, or a file that was named. A file appears as a whole: what is
// written has no name until all of it has been, and then takes the place of what was there before;
// so nobody reads half a report, and an old one stays where a new one fails. What is no regular
// file of the caller's own, has a group that the caller can't give, or lies where files without a
// name are unknown, is written in place; and so is, from the file without a name, what turns out at
// the end not to be replaceable: a mount, say, or any file where there is no /proc.
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
  FILE *stream;      // to be written to
  const char *path;  // NULL: `stream` is a standard one
  char *folder;      // of the path, where the file has no name yet; NULL: it is written in place
};

// Opens the file, or takes a standard stream if the path is NULL. False after a complaint.
bool output_open(struct output *output, const char *path, FILE *standard);

// Ends it. False, after a complaint, if not all has been written.
bool output_close(struct output *output);

// Ends it without a report: what was in the file before stays, if it can.
void output_abandon(struct output *output);

// All of a file, as it is, into an output of its own. False after a complaint.
bool output_copy(const char *path, FILE *standard, const char *from);

// Whether colours may be written to it: to a terminal that has them, if the user does not mind.
bool output_has_colour(FILE *stream);

#endif
