// SPDX-License-Identifier: MIT
//
// Text for people: the last part of a path, and sentences in lines of a width.
#ifndef TOOLS_TEXT_H
#define TOOLS_TEXT_H

#include <stddef.h>
#include <stdio.h>

// What is behind the last slash of a path, or all of it.
const char *text_base_name(const char *path);

// Writes words in lines of up to `width` columns, those behind the first with an indent; the first
// begins where the caller has come to.
void text_wrap(FILE *stream, const char *text, size_t width, size_t indent, size_t column);

#endif
