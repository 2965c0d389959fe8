// SPDX-License-Identifier: MIT
//
// How many blocks a sample stands for. A block of `bytes` bytes was sampled with the probability
// 1 - exp(-bytes / interval), so one that was stands for the inverse of that.
#ifndef TRACK_WEIGHT_H
#define TRACK_WEIGHT_H

#include "base/internal.h"

// From here on the probability is 1, as far as a double can tell.
#define WEIGHT_CERTAIN 40.0

// exp(x) - 1, for x from 0 to WEIGHT_CERTAIN, to 14 digits: by halving until a few terms do, and
// e^2x - 1 = (e^x - 1) (e^x - 1 + 2).
static inline double weight_exp_minus_1(double x)
{
  unsigned halvings = 0;
  while (x > 1.0 / 64) {
    x /= 2;
    halvings++;
  }
  double value = x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6)))));
  for (; halvings > 0; halvings--) value *= value + 2;
  return value;
}

// At least 1. An interval of 0 is as one of which every block is a sample.
static inline double weight_of_sample(size_t bytes, size_t interval)
{
  if ((double)bytes >= WEIGHT_CERTAIN * (double)interval) return 1;
  // 1 / (1 - exp(-x)) = 1 + 1 / (exp(x) - 1)
  return 1 + 1 / weight_exp_minus_1((double)bytes / (double)interval);
}

#endif
