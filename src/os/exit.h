// SPDX-License-Identifier: MIT
//
// The end of the program by exit, as late as can be: after what the program has registered by
// atexit, and after the destructors of C++ and of other libraries. By quick_exit, after what it has
// registered for that.
//
// The C library calls what is registered in one order, and destructors in another. Where this is a
// shared library of glibc's, a handler that was registered before main comes after all destructors;
// where it is part of a program, and with musl, a destructor of this priority comes after it. So
// both are there, and the second to be called does the work. (Of a program with mend inside, the
// destructors of its shared libraries come later still.)
#ifndef OS_EXIT_H
#define OS_EXIT_H

#include "base/internal.h"

// Once, from the library's constructor.
INTERNAL void os_at_exit(void (*function)(void));

#endif
