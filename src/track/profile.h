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

// False, and errno says why, if it could not be written whole; EBUSY: not now. `waits`: for another
// thread that writes a file. The calling thread is inside no heap and holds none of our locks.
INTERNAL bool profile_write(int descriptor, bool waits);

#endif
