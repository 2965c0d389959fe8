// SPDX-License-Identifier: MIT
//
// Text as a string of JSON, for what is written as it comes rather than built in memory.
#ifndef TOOLS_JSON_TEXT_H
#define TOOLS_JSON_TEXT_H

#include <stdio.h>

// With its quotes. Bytes that are no UTF-8 become U+FFFD, one each.
void json_write_text(FILE *stream, const char *text, size_t length);

#endif
