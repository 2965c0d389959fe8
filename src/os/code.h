// SPDX-License-Identifier: MIT
//
// Whether a word can be the address that a call returns to: it lies in, or at the end of, what may
// be executed. The kernel is asked for the mappings once, and again, though not more than once in a
// while, when an address is in none that are known: code may have been loaded since. Who asks right
// after another may be told no of code that is very new.
//
// What the kernel tells in part is not believed: the last that it has told stays. Nothing here
// allocates; a lock is only tried; errno stays.
#ifndef OS_CODE_H
#define OS_CODE_H

#include "base/internal.h"

// True of everything where the kernel does not tell, or there are too many mappings to keep.
INTERNAL bool os_code_is_return_address(uintptr_t address);
// In the child of a fork: another thread, which is not there, may have been asking the kernel.
INTERNAL void os_code_after_fork(void);

#endif
