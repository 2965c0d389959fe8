// SPDX-License-Identifier: MIT
//
// The rest of what we ask of the system: time, the environment, randomness, a descriptor that stays
// open, who we are, how much memory we hold.
#ifndef OS_SYSTEM_H
#define OS_SYSTEM_H

#include "base/internal.h"
#include "base/rng.h"

// Milliseconds of a clock that only goes forward, a few of them coarse; cheap enough for slow
// paths.
INTERNAL uint32_t os_clock_ms(void);
// Nanoseconds of such a clock, exact.
INTERNAL uint64_t os_clock_ns(void);
// Nanoseconds since 1970 (UTC), by the clock that people set.
INTERNAL uint64_t os_clock_wall_ns(void);
// When so many nanoseconds from now will have passed; UINT64_MAX if never.
INTERNAL uint64_t os_deadline_ns(uint64_t nanoseconds);
INTERNAL void os_sleep_ms(uint32_t ms);
INTERNAL void os_sleep_us(uint32_t us);
// The environment, or NULL if the process runs with more rights than its caller, who then must not
// have a say, or if it is too early in the process's life to tell.
INTERNAL char *const *os_environment(void);
// Fills `count` bytes with what nobody else knows; from any thread. It never waits and never fails:
// where the kernel gives nothing, neither by getrandom nor by /dev/urandom, they are made of what
// differs from process to process and from call to call, which is better than nothing.
INTERNAL void os_entropy(void *bytes, size_t count);
// Random numbers that start there.
INTERNAL void os_seed(struct rng *rng);
// The number that people know the process by.
INTERNAL size_t os_process_id(void);
// For a frozen copy (snapshot.h), which speaks for the process that it is a copy of.
INTERNAL void os_process_keep_id(size_t id);
// A copy of a descriptor that programs do not know; few close it all the same. -1 on failure.
INTERNAL int os_duplicate_descriptor(int descriptor);

struct os_resident {
  size_t now_bytes;
  size_t most_bytes;  // since the program was started
};
// The memory of the whole process, as the kernel counts it; zeros if it does not say.
INTERNAL struct os_resident os_resident(void);

#endif
