// SPDX-License-Identifier: MIT
//
// Question: what do blocks cost that are freed in the order of their allocation?
//
// Model: one thread with a queue of 5,000 blocks of 16 to 512 bytes; each step frees the oldest
// and appends a new one, as message queues and caches by age do. A freed block is cold.
#include "common.h"

enum { LENGTH = 5000, ROUNDS = 24000000 };

int main(int argc, char **argv)
{
  const size_t ops = work_scale(argc, argv) * ROUNDS;
  struct random random = random_seeded(3);
  void **queue = table_map(LENGTH * sizeof *queue);
  size_t oldest = 0;
  for (size_t i = 0; i < ops; i++) {
    block_end(queue[oldest]);
    queue[oldest] = block_new(random_between(&random, 16, 512));
    oldest = oldest + 1 == LENGTH ? 0 : oldest + 1;
  }
  for (size_t i = 0; i < LENGTH; i++) block_end(queue[i]);
  return ops_report("fifo", ops);
}
