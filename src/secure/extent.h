// SPDX-License-Identifier: MIT
//
// How far a program may go from an address, in the hardened build: for those who look before they
// copy, and what is said of those who went too far.
#ifndef SECURE_EXTENT_H
#define SECURE_EXTENT_H

#include "base/internal.h"

// How many bytes of the block that an address lies in are behind it, of those that were asked for;
// 0 if it is not in use; SIZE_MAX if the address lies in no block of ours.
INTERNAL size_t secure_bytes_from(const void *pointer);
// Whether an address lies in a block that was freed.
INTERNAL bool secure_is_freed(const void *pointer);
// Tells of a misuse of an address, with what is known of the block that it lies in or beside.
INTERNAL NOINLINE void secure_misuse(const char *message, const void *pointer);

#endif
