// SPDX-License-Identifier: MIT
//
// Who allocates what: a profile of the heap by call stack, while the program runs.
//
// mend can remember the callers of some allocations (sampled: one in so many bytes, which costs
// next to nothing) or of all of them (exact). What is in use, and what was allocated in all, is
// then written as a *track file* (docs/track-file.md), which the command `mend` turns into reports
// and into the formats of other tools. The same can be had without a call by the options profile,
// profile_signal, profile_growth, leaks and track_file.
//
// Stacks are found by frame pointers: compile with -fno-omit-frame-pointer, or they are short.
//
// Every function may be called from any thread at any time. What is said of blocks that other
// threads allocate or free meanwhile is so at some moment of the call.
#ifndef MEND_TRACK_H
#define MEND_TRACK_H

#include "mend/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

// An interval for mend_profile_start that asks for exact mode.
#define MEND_PROFILE_EXACT ((size_t)-1)

// Begins to remember who allocates: on average one block in each `interval_bytes` bytes that are
// allocated (0: the option profile_interval, 512 KiB unless it is set), or with MEND_PROFILE_EXACT
// every block, which makes allocating slower by some factor and takes up to 64 bytes a block.
// Blocks that were allocated before are not known. What was remembered under another interval stays
// and is counted rightly. Costs up to some milliseconds, in which other threads wait. False and
// errno = ENOMEM if there is no memory for it: then all is as before. Since 0.5.
MEND_EXPORT bool mend_profile_start(size_t interval_bytes) MEND_NOTHROW;

// Ends that. What was remembered exactly is forgotten; samples stay in the profile until they are
// freed, and so do the sums of what was allocated. Since 0.5.
MEND_EXPORT void mend_profile_stop(void) MEND_NOTHROW;

// Writes the profile to a descriptor, as a track file of the kind `profile`. Allocates nothing. A
// pipe whose reader waits for this thread would wait for ever. False, with errno as write() has set
// it (or EBUSY: the calling thread, below a signal handler, is writing one already, or has been
// interrupted inside the allocator), if it could not be written whole; then the file has no line
// `end`. Since 0.5.
MEND_EXPORT bool mend_profile_write(int descriptor) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Answers to other processes.

// Lets the command `mend`, started by the same user or by root, ask this process for its figures,
// its map, its profile and its leaks: `mend stats PID` and so on. A thread of mend's own, with all
// signals blocked and a stack of 64 KiB, waits for that on a local socket; it costs nothing while
// nobody asks. The child of a fork answers as well. The option `control` does the same from the
// start. True also if it is so already; false with errno if there is no socket, descriptor or
// thread for it (EADDRINUSE: another process has taken the name, or another copy of mend in this
// one). Since 0.5.
MEND_EXPORT bool mend_control_start(void) MEND_NOTHROW;

// Ends that. Waits for an answer that is under way. Since 0.5.
MEND_EXPORT void mend_control_stop(void) MEND_NOTHROW;

#ifdef __cplusplus
}
#endif
#endif
