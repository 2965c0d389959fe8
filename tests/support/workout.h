// SPDX-License-Identifier: MIT
//
// Ordinary work for a heap in unusual conditions: random allocations, resizes and frees of all
// sizes, each block's contents checked. In a header, because unlike the rest of support/ it calls
// mend.
#ifndef TESTS_WORKOUT_H
#define TESTS_WORKOUT_H

#include "mend/mend.h"
#include "support.h"

enum { WORKOUT_SLOTS = 200 };

struct workout {
  struct random random;
  unsigned char *blocks[WORKOUT_SLOTS];
  size_t bytes[WORKOUT_SLOTS];
};

static inline void workout_check(const struct workout *workout, size_t slot)
{
  size_t bytes = workout->bytes[slot];
  CHECK(pattern_difference(workout->blocks[slot], bytes, slot) == bytes);
}

static inline size_t workout_size(struct random *random)
{
  size_t kind = random_below(random, 100);
  return random_size(random, kind == 0 ? 3 * MIB : kind < 10 ? 100 * KIB : 2000);
}

static inline void workout_step(struct workout *workout)
{
  struct random *random = &workout->random;
  size_t slot = random_below(random, WORKOUT_SLOTS);
  size_t bytes = workout_size(random);
  unsigned char *block = workout->blocks[slot];
  if (block != NULL) workout_check(workout, slot);
  if (block != NULL && random_below(random, 3) == 0) {
    size_t kept = bytes < workout->bytes[slot] ? bytes : workout->bytes[slot];
    block = mend_realloc(block, bytes);
    CHECK(block != NULL && pattern_difference(block, kept, slot) == kept);
  } else {
    mend_free(block);
    block = random_below(random, 8) == 0 ? mend_aligned_alloc(256, bytes) : mend_malloc(bytes);
    CHECK(block != NULL);
  }
  pattern_fill(block, bytes, slot);
  workout->blocks[slot] = block;
  workout->bytes[slot] = bytes;
}

// Checks and frees everything.
static inline void workout_end(struct workout *workout)
{
  for (size_t slot = 0; slot < WORKOUT_SLOTS; slot++) {
    if (workout->blocks[slot] != NULL) workout_check(workout, slot);
    mend_free(workout->blocks[slot]);
  }
}

// `steps` steps from a seed.
static inline void workout_run(uint64_t seed, size_t steps)
{
  struct workout workout = {.random = {seed}};
  for (size_t i = 0; i < steps; i++) workout_step(&workout);
  workout_end(&workout);
}

#endif
