// SPDX-License-Identifier: MIT
//
// Random numbers that cannot be predicted from those seen before: the keystream of ChaCha (layout
// of RFC 8439, nonce zero) with 8 rounds.
//
// Four blocks are made at a time. The first 32 bytes of them become the next key, the rest is
// handed out, and what has been handed out is erased: a state that leaks tells what comes, not what
// was. Not thread-safe, for speed: each heap has one. It knows nothing of forks: parent and child
// go on alike until one of them is seeded anew.
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/bits.h"

enum { RNG_KEY_WORDS = 8, RNG_STREAM_WORDS = 64 };  // of 32 bits

struct rng {
  uint64_t bits;       // the next ones, lowest first; 0 above bit_count
  unsigned bit_count;  // of these
  unsigned next;       // word of the stream
  // Four blocks. The first words are the key of the four to come; up to `next` the others are 0.
  uint32_t stream[RNG_STREAM_WORDS];
};

// Starts anew; the key is to be secret. Before anything else.
INTERNAL void rng_seed(struct rng *rng, const uint8_t key[32]);
// Fetches 64 fresh bits and drops what was left of the last ones.
INTERNAL NOINLINE void rng_refill(struct rng *rng);

// `count` random bits, 1 to 64 of them. At most 63 are dropped to find them in one word.
static inline uint64_t rng_bits(struct rng *rng, unsigned count)
{
  if (UNLIKELY(rng->bit_count < count)) rng_refill(rng);
  uint64_t bits = rng->bits & bits_low_mask(count);
  rng->bits = count < 64 ? rng->bits >> count : 0;
  rng->bit_count -= count;
  return bits;
}

// A number below bound, each as likely as any other; bound is at least 1. (The upper half of a
// product, after Lemire: a division only where the lower half says that it may matter.)
static inline uint32_t rng_below(struct rng *rng, uint32_t bound)
{
  uint64_t product = rng_bits(rng, 32) * bound;
  if (UNLIKELY((uint32_t)product < bound)) {
    uint32_t unfair = -bound % bound;  // 2^32 mod bound
    while ((uint32_t)product < unfair) product = rng_bits(rng, 32) * bound;
  }
  return (uint32_t)(product >> 32);
}

#endif
