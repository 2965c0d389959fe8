// SPDX-License-Identifier: MIT
//
// A signal that people send. (Faults: os/fault.h.)
#ifndef OS_SIGNAL_H
#define OS_SIGNAL_H

#include "base/internal.h"

// Has the function called when the signal comes, on the alternate stack if the thread has one; the
// interrupted calls go on, and errno stays. False if there is no such signal, it cannot be caught,
// or the program that started this one has said to ignore it.
INTERNAL bool os_signal_watch(int number, void (*function)(void));

#endif
