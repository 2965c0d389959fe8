// SPDX-License-Identifier: MIT
//
// Guards: committed memory that faults when it is accessed. They are marks in the page table where
// the kernel has them (Linux 6.13, except where memory is locked), and cost nothing then; else
// inaccessible mappings, of which a process has not many. What a guard held is gone: the memory
// returns to the kernel, and reads as zero when it is no guard any more. In the child of a fork it
// is a guard, too.
#ifndef OS_GUARD_H
#define OS_GUARD_H

#include "base/internal.h"

// Makes committed memory a guard, or ordinary memory again. Where it cannot be made one it stays as
// it was, but what it held may be gone.
INTERNAL bool os_guard_install(void *start, size_t bytes);
INTERNAL bool os_guard_remove(void *start, size_t bytes);
// Whether a guard costs no mapping of its own. The first of these calls finds that out.
INTERNAL bool os_guard_is_free_of_mappings(void);

#endif
