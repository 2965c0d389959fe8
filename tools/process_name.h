// SPDX-License-Identifier: MIT
//
// What people call a process, its threads and the heaps of it. The texts are of plain characters
// that are safe on a terminal and in a string of JSON.
#ifndef TOOLS_PROCESS_NAME_H
#define TOOLS_PROCESS_NAME_H

#include "remote.h"

enum { PROCESS_NAME_MOST = 64 };

// The last part of the program's path; "" if it is not known.
void process_program_name(char name[static PROCESS_NAME_MOST], const struct target *target);
// "thread 12 worker", "common", "first-class 0x7f...", "objects of handles 0".
void process_heap_name(char name[static PROCESS_NAME_MOST], const struct target *target,
                       const struct remote_heap *heap);

#endif
