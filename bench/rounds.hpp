// SPDX-License-Identifier: MIT
//
// Ways to do the same, timed in one process: all take turns, once a round, and the first one is
// another in every round. The time is the thread's own, so that other programs do not count but
// by what they leave of the caches. A round that is not counted goes before.
#ifndef BENCH_ROUNDS_HPP
#define BENCH_ROUNDS_HPP

#include <functional>
#include <vector>

#include "common.h"

struct way {
  const char *name;
  std::function<void(std::size_t steps)> run;
};

enum { ROUNDS = 7 };

// Prints a line for each way and round: nanoseconds a step.
inline void rounds_run(const char *measure, const char *process, const std::vector<way> &ways,
                       std::size_t steps)
{
  for (std::size_t round = 0; round <= ROUNDS; round++) {
    for (std::size_t i = 0; i < ways.size(); i++) {
      const way &one = ways[(i + round) % ways.size()];
      const double start = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
      one.run(steps);
      const double seconds = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - start;
      if (round == 0) continue;
      line_write("{\"measure\":\"%s\",\"process\":\"%s\",\"way\":\"%s\",\"round\":%zu,"
                 "\"ns\":%.3f}\n",
                 measure, process, one.name, round, seconds * 1e9 / static_cast<double>(steps));
    }
  }
}

#endif
