// SPDX-License-Identifier: MIT
//
// Texts of others on a terminal: names of files, programs, threads and functions may hold anything,
// and a terminal obeys some of it. What is plain stays, UTF-8 as well; each control character, also
// the second set of them (U+0080 to U+009F), becomes a question mark for each of its bytes.
#ifndef TOOLS_PLAIN_H
#define TOOLS_PLAIN_H

#include <stdio.h>

void plain_make(char *text);
void plain_write(FILE *stream, const char *text);
// Only ASCII is left, and no quote and no backslash: such a text may stand in a string of JSON.
void plain_make_name(char *name);

#endif
