// SPDX-License-Identifier: MIT
//
// Where a profile goes, and in which form: the forms by their names and by the ends of files'
// names.
#ifndef TOOLS_PROFILE_OUTPUT_H
#define TOOLS_PROFILE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "profile_formats.h"

struct profile_format;

// By its name, or by the end of a file's name; NULL, after a complaint, if there is none. A name
// without a dot is of a table, and so is what goes to no file (NULL).
const struct profile_format *profile_format_find(const char *name);
const struct profile_format *profile_format_of_file(const char *path);
// It is for people, to be written to terminals.
bool profile_format_is_table(const struct profile_format *format);
// It is a track file itself.
bool profile_format_is_track(const struct profile_format *format);

struct profile_output {
  const struct profile_format *format;
  const char *path;  // NULL: `stream`
  FILE *stream;
  struct profile_table table;
};

// False after a complaint.
bool profile_output(const struct profile_output *output, const struct profile *profile);

#endif
