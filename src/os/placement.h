// SPDX-License-Identifier: MIT
//
// Where in the address space a range may lie when it is placed at random.
//
// The kernel maps from the top downwards (the last sixteenth is left to it), puts programs and
// their heaps at two thirds (two sixteenths), and some runtimes claim fixed places in the lowest
// eighth. A range may start anywhere in the rest: with 47 bits of addresses that are 30 bits of
// choice for a range of 4 TiB in steps of 64 KiB, and with 39 bits 22 for one of up to 8 GiB.
#ifndef OS_PLACEMENT_H
#define OS_PLACEMENT_H

#include "base/rng.h"

// How many addresses there are, judged by one that the kernel has given: a power of two.
INTERNAL size_t placement_space(uintptr_t given);
// A place for `bytes` whose start is a multiple of `alignment`; 0 if they are more than a quarter
// of the space.
INTERNAL uintptr_t placement_pick(struct rng *rng, size_t space, size_t bytes, size_t alignment);

// Notes a range that was placed, so that no other is put in it; and says whether a place is in one.
// The first few are noted: two that overlap are each other's limit, and nothing worse.
INTERNAL void placement_note(const char *start, size_t bytes);
INTERNAL bool placement_is_noted(const char *start, size_t bytes);

#endif
