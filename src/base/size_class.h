// SPDX-License-Identifier: MIT
//
// Size <-> size class. Classes rise in steps of 16 bytes up to 128, then eight to a doubling, up to
// 64 KiB: a block is never more than 15 bytes or 12.5 % larger than what was asked for.
//
// Every multiple of a power of two A that is a request of at least A maps to a class whose size is
// a multiple of A, so rounding a size up to its alignment is all that an aligned request needs.
#ifndef BASE_SIZE_CLASS_H
#define BASE_SIZE_CLASS_H

#include "base/bits.h"

#define SIZE_CLASS_COUNT 80        // classes 0 .. 79
#define SIZE_CLASS_SMALL_COUNT 48  // of which 0 .. 47 are small, and the others medium
#define SIZE_CLASS_MEDIUM_COUNT (SIZE_CLASS_COUNT - SIZE_CLASS_SMALL_COUNT)
#define SIZE_CLASS_SMALL_BYTES ((size_t)4096)
#define SIZE_CLASS_MAX_BYTES ((size_t)65536)

// What a request is for whose class all of whose blocks are aligned so.
static inline size_t size_class_padded(size_t size, size_t alignment)
{
  return alignment <= 16 ? size : bits_align_up(bits_larger(size, 1), alignment);
}

// The class of a request of at most SIZE_CLASS_MAX_BYTES.
static inline unsigned size_class_of(size_t size)
{
  if (size <= 128) return size == 0 ? 0 : (unsigned)((size + 15) >> 4) - 1;
  unsigned exponent = bits_highest(size - 1);
  return 8 + (exponent - 7) * 8 + (unsigned)((size - 1) >> (exponent - 3) & 7);
}

// The block size of a class.
static inline size_t size_class_bytes(unsigned size_class)
{
  if (size_class < 8) return (size_t)(size_class + 1) * 16;
  unsigned exponent = 7 + (size_class - 8) / 8;
  return (size_t)(9 + (size_class - 8) % 8) << (exponent - 3);
}

#endif
