// SPDX-License-Identifier: MIT
//
// Runs that allocate in all ways and note what was allocated: what the samples, which own_tracker.h
// adds up, must stand for in the end.
#ifndef UNIT_SAMPLE_TRUTH_H
#define UNIT_SAMPLE_TRUTH_H

#include "mend/mend.h"
#include "mend/track.h"
#include "own_tracker.h"

static struct {
  double count;
  double bytes;
  double count_variance;
  double byte_variance;
  double largest;
} truth;

static inline size_t twins(void)
{
  size_t count = 0;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) count += atomic_load(&sampling.twins[i]);
  return count;
}

static inline void begin(size_t interval)
{
  memset(table.slots, 0, sizeof table.slots);
  table.live = table.added = table.removed = 0;
  table.count = table.bytes = 0;
  memset(&truth, 0, sizeof truth);
  assert_true(mend_profile_start(interval));
}

// A block was allocated for so many bytes.
static inline void *note(void *block, size_t size)
{
  CHECK(block != NULL);
  struct page *page = page_first(page_around(block));
  double chance = chance_of((double)page->block_bytes / table.interval);
  truth.count++;
  truth.bytes += (double)size;
  if ((double)size > truth.largest) truth.largest = (double)size;
  truth.count_variance += (1 - chance) / chance;
  truth.byte_variance += (1 - chance) / chance * (double)size * (double)size;
  return block;
}

static inline void *allocate_noted(size_t size)
{
  return note(mend_malloc(size), size);
}

// Whether an estimate is as near as it has to be: all there is where there is no chance in it.
// Where nearly all blocks are sampled, the few that are not are no sum of many: two may be missing.
static inline bool is_near(double error, double variance, double largest)
{
  double slack = variance > 0 ? 4 * largest * largest : 0;
  return error * error <= 36 * variance + slack;
}

// Ends a run in which everything has been freed: the samples stand for what there was.
static inline void end(void)
{
  assert_true(is_near(table.count - truth.count, truth.count_variance, 1));
  assert_true(is_near(table.bytes - truth.bytes, truth.byte_variance, truth.largest));
  assert_int_equal(table.live, 0);
  assert_int_equal(table.added, table.removed);
  assert_int_equal(twins(), 0);
  mend_profile_stop();
}

enum { BLOCKS = 20000, ROUNDS = 10 };

static void *blocks[BLOCKS];
static const size_t intervals[] = {1, 100, 2000, 30000};
static struct random random_numbers;

static inline size_t below(size_t limit)
{
  return random_below(&random_numbers, limit);
}

static inline size_t any_size(void)
{
  return below(10) == 0 ? below(4097) : below(200);
}

static inline void *one_of_any_sort(mend_heap *heap, size_t i)
{
  size_t size = below(100) == 0 ? below(300000) : any_size();
  switch (i % 7) {
  case 0:
    return note(mend_calloc(1, size), size);
  case 1:
    return note(mend_aligned_alloc((size_t)16 << below(8), size), size);
  case 2:
    return note(mend_heap_malloc(heap, size), size);
  case 3:
    return note(mend_malloc(size + 4096), size + 4096);
  case 4:
    return i % 70 != 4 ? note(mend_malloc(size), size)
                       : note(mend_malloc(size + 65536), size + 65536);
  case 5:
    return note(mend_zalloc(size), size);
  default:
    return note(mend_memalign(64, size), size);
  }
}

#endif
