// SPDX-License-Identifier: MIT
//
// Stacks of a track file for people, a line a frame, in the form of LeakSanitizer's.
#ifndef TOOLS_STACK_TEXT_H
#define TOOLS_STACK_TEXT_H

#include <stdio.h>

#include "symbols.h"
#include "track_file.h"

// Without mend's own frames at its inner end.
void stack_text_write(struct symbols *symbols, const struct track_file *file, size_t stack,
                      FILE *stream);
// Whether it ends before what begins threads and programs, or is of nothing else: somewhere there
// is code that does not say who has called it. The outermost function's description of its frame
// tells; where there is none, it is a guess, from names of functions and modules.
bool stack_text_is_cut(struct symbols *symbols, const struct track_file *file, size_t stack);
// The command that the file is of.
void stack_text_command(const struct track_file *file, FILE *stream);

#endif
