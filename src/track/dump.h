// SPDX-License-Identifier: MIT
//
// Track files that are written without a call: at a signal, when the heap has grown, at the exit.
//
// They go where the option track_file says, `%p` in it standing for the number of the process. The
// one at the exit has that name; those before it have `.1`, `.2` and so on behind it. The child of
// a fork whose name would be its parent's has its number behind it.
//
// A signal may come at any moment. If the thread that it interrupts is inside a heap, holds one of
// our locks or writes a file already, writing would wait for itself: then the file is written by
// the next slow path of an allocation or a free, of whichever thread, when that is done.
#ifndef TRACK_DUMP_H
#define TRACK_DUMP_H

#include "base/internal.h"

INTERNAL_DATA _Atomic(bool) dump_is_asked_for;

// What the options ask for; once, from the library's constructor.
INTERNAL void dump_start(void);
// A numbered profile: now, or soon. Any thread, signal handlers.
INTERNAL void dump_profile(void);

// Writes what could not be written when it was asked for. Inside no heap.
static inline void dump_serve(void)
{
  if (UNLIKELY(atomic_load_explicit(&dump_is_asked_for, memory_order_relaxed))) dump_profile();
}
// Writes a profile if the heap, which has so much in use, has grown enough. Inside no heap.
INTERNAL void dump_look_at_growth(size_t used_bytes);

// A new track file that has its name from the option and `suffix`, which may be "": its descriptor,
// or -1, and that was told.
INTERNAL int dump_create(const char *suffix);
// Says that what was written to it is not whole, as errno tells.
INTERNAL void dump_complain(void);
// Whether the calling thread, below a signal handler perhaps, may wait for other threads: not where
// they may be waiting for it.
INTERNAL bool dump_can_wait(void);
// track_file_acquire for a thread that may be below a signal handler: false, and errno is EBUSY,
// also where writing would wait for what that has interrupted.
INTERNAL bool dump_acquire(bool waits);
// The profile at the exit; if it cannot be written, that is told.
INTERNAL void dump_last_profile(const char *suffix);

#endif
