// SPDX-License-Identifier: MIT
//
// Profiles: what each stack has in use, and has allocated in all, as a track file. Estimates are
// unbiased: each sample counts for as many blocks as its size makes likely (weight.h).
//
// A *fragmentation profile* is in it: each page of small blocks shares what it holds in free memory
// among its blocks in use, which keep it from being given back. Of a sample that is the page of its
// twin. What is allocated or freed meanwhile is counted or not.
#ifndef TRACK_PROFILE_H
#define TRACK_PROFILE_H

#include "base/internal.h"

// By who has acquired the track file, which is released then. Inside no heap, and without any of
// our locks. False, and errno says why, if it could not be written whole.
INTERNAL bool profile_write(int descriptor);

// By how much live blocks are larger than what was asked for: of those that are remembered, or
// estimated from samples. 0 if nothing is tracked. Any thread.
INTERNAL size_t profile_rounding_bytes(void);

#endif
