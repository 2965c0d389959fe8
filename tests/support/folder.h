// SPDX-License-Identifier: MIT
//
// A folder of the test's own in /tmp. Whoever makes one removes it with all files in it, those also
// that are not expected; a CHECK that fails does so, too.
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stdbool.h>

// Makes the folder that this process has, once: `name` ends in XXXXXX, and then in what it has
// become. It must stay where it is.
bool folder_make(char *name);

// Removes it with the files in it. 0 if that worked, or if this process has made none.
int folder_remove(void);

#endif
