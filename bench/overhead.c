// SPDX-License-Identifier: MIT
//
// Question: how much memory does a heap of small blocks take beyond what was asked for?
//
// Model: one thread, a million live blocks of 16 to 1024 bytes (uniform). The judge measures after
// they are made, again after a million random operations (free a random block, allocate another of
// a random size), and again after the allocator was told to give back what it can.
#include "judged.h"

enum { BLOCKS = 1000000, OPS = 1000000 };

static struct live live_sum(void **blocks)
{
  struct live live = {0};
  for (size_t i = 0; i < BLOCKS; i++) live_add_block(&live, blocks[i]);
  return live;
}

int main(void)
{
  struct random random = random_seeded(8);
  void **blocks = table_map(BLOCKS * sizeof *blocks);
  const struct stopwatch start = stopwatch_start();
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = block_new(random_between(&random, 16, 1024));
  judge_wait("made", BLOCKS, stopwatch_stop(start), live_sum(blocks));
  for (size_t i = 0; i < OPS; i++) {
    void **slot = &blocks[random_below(&random, BLOCKS)];
    block_end(*slot);
    *slot = block_new(random_between(&random, 16, 1024));
  }
  const struct live live = live_sum(blocks);
  judge_wait("churned", BLOCKS + OPS, stopwatch_stop(start), live);
  heap_purge();
  judge_wait("purged", BLOCKS + OPS, stopwatch_stop(start), live);
  for (size_t i = 0; i < BLOCKS; i++) block_end(blocks[i]);
  return 0;
}
