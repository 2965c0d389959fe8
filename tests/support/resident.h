// SPDX-License-Identifier: MIT
//
// How much of this process is resident, as a second process sees it: a child that is forked while
// the program is still small reads the kernel's page counts of its parent on demand.
#ifndef TESTS_RESIDENT_H
#define TESTS_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>

// Starts the reader. Call it first in main, before any thread or large memory exists. The reader
// ends with this process.
void resident_start(void);
// Bytes of this process that are resident now.
size_t resident_bytes(void);
// Fails the program, with both figures printed, if more than `most` bytes are resident beyond
// `before`. Under a sanitizer or Valgrind the figures are printed and not judged.
void resident_check_growth(const char *what, size_t before, size_t most);

// The same two of work that is done again and again. Of the hardened library from level 2 on chance
// chooses among the free blocks of a class, so that in time ever more of them hold memory, up to a
// bound that is looked at for itself; of `most` is what stays when `collect` has given them back.
size_t resident_settled_bytes(void (*collect)(bool purge));
void resident_check_settled(const char *what, size_t before, size_t most,
                            void (*collect)(bool purge));

#endif
