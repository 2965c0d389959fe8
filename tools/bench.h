// SPDX-License-Identifier: MIT
//
// The patterns of allocation that `mend bench` times: small programs within this one, each of which
// does a fixed number of operations with whatever malloc the process has.
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H

#include <stddef.h>

struct bench_pattern {
  const char *name;
  const char *meaning;
  void (*run)(size_t operations);
  size_t operations;  // of one run: a few tenths of a second with a slow malloc
};

extern const struct bench_pattern bench_patterns[];
extern const size_t bench_pattern_count;

// Runs the pattern of this number once: nanoseconds an operation; below 0 if there is no memory.
double bench_time(size_t pattern);

#endif
