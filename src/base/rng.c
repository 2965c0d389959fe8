// SPDX-License-Identifier: MIT
#include "base/rng.h"

#include <string.h>

// The same word of four blocks, which are made side by side.
typedef uint32_t lanes __attribute__((vector_size(16)));

enum { BLOCKS = 4, BLOCK_WORDS = RNG_STREAM_WORDS / 4, ROUNDS = 8 };

static inline lanes rotate_left(lanes value, int by)
{
  return value << by | value >> (32 - by);
}

static inline void quarter_round(lanes *a, lanes *b, lanes *c, lanes *d)
{
  *a += *b;
  *d = rotate_left(*d ^ *a, 16);
  *c += *d;
  *b = rotate_left(*b ^ *c, 12);
  *a += *b;
  *d = rotate_left(*d ^ *a, 8);
  *c += *d;
  *b = rotate_left(*b ^ *c, 7);
}

static inline void double_round(lanes x[BLOCK_WORDS])
{
  quarter_round(&x[0], &x[4], &x[8], &x[12]);
  quarter_round(&x[1], &x[5], &x[9], &x[13]);
  quarter_round(&x[2], &x[6], &x[10], &x[14]);
  quarter_round(&x[3], &x[7], &x[11], &x[15]);
  quarter_round(&x[0], &x[5], &x[10], &x[15]);
  quarter_round(&x[1], &x[6], &x[11], &x[12]);
  quarter_round(&x[2], &x[7], &x[8], &x[13]);
  quarter_round(&x[3], &x[4], &x[9], &x[14]);
}

// Replaces the key by the blocks 0 to 3 that it makes, one behind the other. They are nowhere else,
// but for what the compiler keeps on the stack until the next calls overwrite it.
static void make_stream(struct rng *rng)
{
  static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  const lanes none = {0, 0, 0, 0};
  lanes start[BLOCK_WORDS];
  lanes x[BLOCK_WORDS];
  for (unsigned i = 0; i < 4; i++) start[i] = none + constants[i];
  for (unsigned i = 0; i < RNG_KEY_WORDS; i++) start[4 + i] = none + rng->stream[i];
  start[12] = (lanes){0, 1, 2, 3};
  start[13] = start[14] = start[15] = none;
  memcpy(x, start, sizeof x);
  for (unsigned i = 0; i < ROUNDS / 2; i++) double_round(x);
  for (unsigned i = 0; i < BLOCK_WORDS; i++) {
    x[i] += start[i];
    for (unsigned block = 0; block < BLOCKS; block++) {
      rng->stream[block * BLOCK_WORDS + i] = x[i][block];
    }
  }
  rng->next = RNG_KEY_WORDS;
}

INTERNAL void rng_seed(struct rng *rng, const uint8_t key[32])
{
  memset(rng, 0, sizeof *rng);
  for (unsigned i = 0; i < 32; i++) rng->stream[i / 4] |= (uint32_t)key[i] << (i % 4 * 8);
  rng->next = RNG_STREAM_WORDS;
}

static uint32_t take_word(struct rng *rng)
{
  uint32_t word = rng->stream[rng->next];
  rng->stream[rng->next] = 0;
  rng->next++;
  return word;
}

INTERNAL NOINLINE void rng_refill(struct rng *rng)
{
  if (rng->next == RNG_STREAM_WORDS) make_stream(rng);
  uint64_t low = take_word(rng);
  rng->bits = low | (uint64_t)take_word(rng) << 32;
  rng->bit_count = 64;
}
