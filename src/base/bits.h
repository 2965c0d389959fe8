// SPDX-License-Identifier: MIT
//
// Arithmetic on bits and sizes. Where a result might not fit, the function says whose duty that is.
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/internal.h"

// The largest size that a request may have: pointers into a block must be subtractable.
#define BITS_MAX_SIZE ((size_t)PTRDIFF_MAX)

static inline bool bits_is_power_of_two(size_t value)
{
  return value != 0 && (value & (value - 1)) == 0;
}

// Rounds up to a multiple of a power of two; the caller knows that it fits.
static inline size_t bits_align_up(size_t value, size_t alignment)
{
  return (value + alignment - 1) & ~(alignment - 1);
}

static inline size_t bits_align_down(size_t value, size_t alignment)
{
  return value & ~(alignment - 1);
}

// The index of the highest set bit; value must not be 0.
static inline unsigned bits_highest(uint64_t value)
{
  return 63U - (unsigned)__builtin_clzll(value);
}

// The index of the lowest set bit; value must not be 0.
static inline unsigned bits_lowest(uint64_t value)
{
  return (unsigned)__builtin_ctzll(value);
}

// How many bits are set.
static inline unsigned bits_count(uint64_t value)
{
  return (unsigned)__builtin_popcountll(value);
}

// By 1 to 63.
static inline uint64_t bits_rotate_right(uint64_t value, unsigned by)
{
  return value >> by | value << (64U - by);
}

// The low `count` bits set, count from 0 to 64.
static inline uint64_t bits_low_mask(unsigned count)
{
  return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

// The smallest power of two that is at least value; value at most half of the range.
static inline size_t bits_next_power_of_two(size_t value)
{
  return value <= 1 ? 1 : (size_t)1 << (bits_highest(value - 1) + 1);
}

static inline bool bits_multiply(size_t a, size_t b, size_t *product)
{
  return !__builtin_mul_overflow(a, b, product);
}

static inline size_t bits_smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

static inline size_t bits_larger(size_t a, size_t b)
{
  return a > b ? a : b;
}

#endif
