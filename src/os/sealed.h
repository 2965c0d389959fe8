// SPDX-License-Identifier: MIT
//
// Makes what is SEALED (base/sealed.h) read-only when the start is over, and writable for a moment
// when a setter is called. Where the kernel has pages of more than 4 KiB, or refuses, it stays as
// writable as it was.
#ifndef OS_SEALED_H
#define OS_SEALED_H

#include "base/internal.h"

// From now on. Once, at the end of the start.
INTERNAL void os_seal(void);
// Around each write after that, from any thread. False, and nothing may be written, if the kernel
// does not allow it any more, or the calling thread has it open already (below a signal handler).
INTERNAL bool os_sealed_open(void);
INTERNAL void os_sealed_close(void);
// In the child of a fork: another thread may have had it open.
INTERNAL void os_sealed_after_fork(void);

#endif
