// SPDX-License-Identifier: MIT
//
// A clock for single calls: the processor's counter, read so that what stands before is done and
// what stands behind has not begun. clock_gettime where there is none. How long a tick is comes
// from the system's clock, over the whole run.
#ifndef BENCH_TICKS_H
#define BENCH_TICKS_H

#include "common.h"

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
  uint32_t low, high, processor;
  __asm__ volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high), "=c"(processor) : : "memory");
  return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
  uint64_t now;
  __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now) : : "memory");
  return now;
#elif defined(__riscv)
  uint64_t now;
  __asm__ volatile("fence\n\trdtime %0" : "=r"(now) : : "memory");
  return now;
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

struct ticks_origin {
  uint64_t ticks;
  double seconds;
};

static inline struct ticks_origin ticks_begin(void)
{
  return (struct ticks_origin){ticks_now(), clock_seconds(CLOCK_MONOTONIC)};
}

// Nanoseconds a tick, by what has passed since (some milliseconds at least).
static inline double ticks_ns(struct ticks_origin origin)
{
  double seconds = clock_seconds(CLOCK_MONOTONIC) - origin.seconds;
  return seconds * 1e9 / (double)(ticks_now() - origin.ticks);
}

#endif
