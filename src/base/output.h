// SPDX-License-Identifier: MIT
//
// Where the library's text goes: a function that the user has set, or a file descriptor, at first
// 2. Nothing here allocates, locks or buffers.
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/internal.h"

typedef void (*output_function)(const char *text, size_t bytes, void *argument);

// Sends text from now on to `function`, or to the descriptor again if it is NULL. Not while other
// threads write.
INTERNAL void output_set(output_function function, void *argument);
// The descriptor to use when there is no function, as long as it is of the file that it is of now.
// Programs close descriptors that they do not know, and open files of the same number: then 2 is
// used if that is of the file, and else nothing is written.
INTERNAL void output_set_descriptor(int descriptor);
INTERNAL void output_write(const char *text, size_t bytes);
// Tells of what went wrong, with an errno, and which file it was about; NULL: it has no name.
INTERNAL void output_complain(const char *what, int error, const char *name);
// Writes all of it to this descriptor; false, with errno saying why, if that cannot be done.
INTERNAL bool output_write_to(int descriptor, const char *text, size_t bytes);

#endif
