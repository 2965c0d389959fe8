// SPDX-License-Identifier: MIT
//
// Memory for secrets, as the kernel can guard it: between two inaccessible os pages, locked, left
// out of core dumps, and of a fork's child or zeroed there.
//
// For every call: start and bytes are those of the memory between the two pages, as
// os_secret_map had them. errno is not preserved.
#ifndef OS_SECRET_H
#define OS_SECRET_H

#include "base/internal.h"

enum os_fork_fate {
  OS_FORK_COPIED,
  OS_FORK_WIPED,    // reads as zero in the child
  OS_FORK_OMITTED,  // is not mapped in the child
};

enum os_secret_access { OS_SECRET_WRITE, OS_SECRET_READ, OS_SECRET_NONE };

// Maps zeroed, readable and writable memory, `bytes` > 0 of it, a multiple of the os page, that is
// never dumped. Returns NULL, and why in *error: ENOMEM, or EPERM if the kernel does not keep it
// from dumps or has no such fate.
INTERNAL void *os_secret_map(size_t bytes, enum os_fork_fate fate, int *error);
// Keeps it in memory from now on. 0; EAGAIN if that is above the limit on locked memory or
// there is no memory, EPERM if the process may lock none.
INTERNAL int os_secret_lock(void *start, size_t bytes);
INTERNAL bool os_secret_protect(void *start, size_t bytes, enum os_secret_access access);
// Gives the memory back, and keeps the addresses inaccessible, also in children of forks.
INTERNAL bool os_secret_retire(void *start, size_t bytes);
// The same for the child of a fork that has been left nothing there.
INTERNAL bool os_secret_bar(void *start, size_t bytes);
// Gives the addresses back, too.
INTERNAL void os_secret_unmap(void *start, size_t bytes);

#endif
