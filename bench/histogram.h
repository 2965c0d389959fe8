// SPDX-License-Identifier: MIT
//
// A histogram that forgets no sample: counts by value, exact below 128, above that 128 buckets for
// each power of two, so that a percentile is at most 1/128 too high (the scheme is that of Tene's
// HdrHistogram). Adding one is a few instructions. One thread writes a histogram.
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include "common.h"

enum { HISTOGRAM_STEPS = 128, HISTOGRAM_BUCKETS = 36 * HISTOGRAM_STEPS };  // to 2^42

struct histogram {
  uint64_t count;
  uint64_t highest;
  uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline size_t histogram_bucket(uint64_t value)
{
  if (value < HISTOGRAM_STEPS) return value;
  unsigned shift = 56U - (unsigned)__builtin_clzll(value);
  size_t bucket = shift * HISTOGRAM_STEPS + (value >> shift);
  return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

// The highest value that the bucket counts.
static inline uint64_t histogram_value(size_t bucket)
{
  if (bucket < 2 * HISTOGRAM_STEPS) return bucket;
  unsigned shift = (unsigned)(bucket / HISTOGRAM_STEPS) - 1;
  return ((HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
  histogram->count++;
  if (value > histogram->highest) histogram->highest = value;
  histogram->counts[histogram_bucket(value)]++;
}

static inline void histogram_merge(struct histogram *into, const struct histogram *from)
{
  into->count += from->count;
  if (from->highest > into->highest) into->highest = from->highest;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) into->counts[i] += from->counts[i];
}

// The least value that so large a share of all samples does not exceed.
static inline uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
  double wanted = share * (double)histogram->count;
  uint64_t passed = 0;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
    passed += histogram->counts[i];
    if (passed == 0 || (double)passed < wanted) continue;
    uint64_t value = histogram_value(i);
    return value < histogram->highest ? value : histogram->highest;
  }
  return histogram->highest;
}

#endif
