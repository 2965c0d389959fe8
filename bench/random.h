// SPDX-License-Identifier: MIT
//
// Random numbers that are the same in every run: xorshift64*, one state a thread. Good enough to
// draw sizes and victims, and so cheap that the allocator stays what is measured.
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
  uint64_t state;
};

static inline struct random random_seeded(uint64_t seed)
{
  struct random random = {(seed + 1) * UINT64_C(0x9E3779B97F4A7C15)};
  return random;
}

static inline uint32_t random_next(struct random *random)
{
  random->state ^= random->state >> 12;
  random->state ^= random->state << 25;
  random->state ^= random->state >> 27;
  return (uint32_t)((random->state * UINT64_C(0x2545F4914F6CDD1D)) >> 32);
}

// A number below `limit`, without a division.
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
  return (uint32_t)(((uint64_t)random_next(random) * limit) >> 32);
}

static inline size_t random_between(struct random *random, uint32_t low, uint32_t high)
{
  return low + random_below(random, high - low + 1);
}

// A number between 0 and 1, both excluded.
static inline double random_unit(struct random *random)
{
  return ((double)random_next(random) + 0.5) / 4294967296.0;
}

#endif
