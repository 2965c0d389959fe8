// SPDX-License-Identifier: MIT
//
// Files: what /proc says, and new ones. Nothing here allocates or locks; errno stays where a
// function does not say otherwise. (Text is written by base/output.h.)
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/internal.h"

// A descriptor to read from; -1 if there is no such file, or it may not be read.
INTERNAL int os_file_open(const char *path);
// Up to `bytes` of what follows; 0 at the end and on errors.
INTERNAL size_t os_file_read(int descriptor, char *buffer, size_t bytes);
// A descriptor to write to: of a new file that nobody else may read, or of one that is emptied.
// What is not below /dev must be no link to another, which somebody else may have put there. -1,
// and errno says why, if it cannot be had.
INTERNAL int os_file_create(const char *path);
INTERNAL void os_file_close(int descriptor);
// The path of the program that is running, cut off where it does not fit; says how long it is.
INTERNAL size_t os_program_path(char *buffer, size_t bytes);

#endif
