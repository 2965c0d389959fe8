// SPDX-License-Identifier: MIT
//
// How the documents of JSON begin that the command writes about processes: with the name of their
// form, which is another one when a member changes its meaning, not when one is added; the version
// of the command; and whose heap it is.
#ifndef TOOLS_JSON_HEAD_H
#define TOOLS_JSON_HEAD_H

#include <stdint.h>
#include <stdio.h>

#include "track_file.h"

// {"schema":"mend-NAME-1","version":"0.5.0"
void json_head_begin(FILE *stream, const char *name);

// "pid":1,"program":"/bin/x","time":1.000000002. The program may be NULL; the time is in
// nanoseconds since 1970.
void json_head_process(FILE *stream, uint64_t pid, const char *program, int64_t time_ns);
// The same of a track file, with "command", "mode" and "uptime_ms".
void json_head_track(FILE *stream, const struct track_file *file);

#endif
