// SPDX-License-Identifier: MIT
//
// What one process start shows of where its blocks lie, by class of size.
#ifndef TESTS_ENTROPY_SAMPLE_H
#define TESTS_ENTROPY_SAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../support/support.h"
#include "mend/root.h"

enum { CLASSES = 11, SMALL_CLASSES = 7, REUSE_MOST = 1 << 16 };

// The first SMALL_CLASSES are small blocks.
static const size_t class_sizes[CLASSES] = {8,    24,    100,   500,    1000,   2000,
                                            4000, 10000, 50000, 200000, 1 << 20};

struct class_sample {
  uint64_t first;     // address of the process's first block of the class
  uint64_t distance;  // from there to the next one
  uint64_t reuse;     // allocations until a freed address comes back; REUSE_MOST: not before
};

struct sample {
  struct class_sample classes[CLASSES];
  uint64_t metadata;  // from the start of the metadata to the first block of the smallest class
};

// A block is allocated and freed at once, again and again, until it lies where `block` was.
static inline uint64_t sample_reuse(void *block, size_t size)
{
  free(block);
  for (uint64_t count = 1; count < REUSE_MOST; count++) {
    void *other = opaque(malloc(size));
    free(other);
    if (other == block) return count;
  }
  return REUSE_MOST;
}

static inline void sample_class(struct class_sample *sample, size_t size)
{
  char *first = opaque(malloc(size)), *second = opaque(malloc(size));
  CHECK(first != NULL && second != NULL);
  sample->first = (uintptr_t)first;
  sample->distance = (uintptr_t)second - (uintptr_t)first;
  // Large blocks that are freed do not come back for a while: a few system calls each.
  sample->reuse = size < 100000 ? sample_reuse(first, size) : REUSE_MOST;
}

static inline void sample_take(struct sample *sample)
{
  for (size_t i = 0; i < CLASSES; i++) sample_class(&sample->classes[i], class_sizes[i]);
  sample->metadata = sample->classes[0].first - *(const uintptr_t *)mend_root.metadata_start;
}

#endif
