// SPDX-License-Identifier: MIT
//
// Text as a string of JSON, for what is written as it comes rather than built in memory.
#ifndef TOOLS_JSON_TEXT_H
#define TOOLS_JSON_TEXT_H

#include <stdint.h>
#include <stdio.h>

// With its quotes. Bytes that are no UTF-8 become U+FFFD, one each.
void json_write_text(FILE *stream, const char *text, size_t length);
// The same of a whole text; NULL is null.
void json_write_string(FILE *stream, const char *text);
// Behind other members: a comma, the name and the text.
void json_write_member(FILE *stream, const char *name, const char *text);

struct json_number {
  const char *name;
  uint64_t value;
};
// The same of numbers, one member each.
void json_write_numbers(FILE *stream, const struct json_number *numbers, size_t count);

#endif
