// SPDX-License-Identifier: MIT
//
// Question: what do blocks of many os pages cost, and how much of their memory is reused?
//
// Model: one thread with 24 live blocks of 64 KiB to 8 MiB (each power of two equally likely, and
// evenly within it), a random one replaced at each step, as programs do that read files, images
// or matrices one after another. Each os page of a block is written once, as everywhere here.
#include "common.h"

enum { SLOTS = 24, ROUNDS = 4000 };

static size_t size_random(struct random *random)
{
  const size_t base = (size_t)65536 << random_below(random, 7);
  return base + random_below(random, (uint32_t)base);
}

int main(int argc, char **argv)
{
  const size_t ops = work_scale(argc, argv) * ROUNDS;
  struct random random = random_seeded(6);
  void **slots = table_map(SLOTS * sizeof *slots);
  for (size_t i = 0; i < ops; i++) {
    void **slot = &slots[random_below(&random, SLOTS)];
    block_end(*slot);
    *slot = block_new(size_random(&random));
  }
  for (size_t i = 0; i < SLOTS; i++) block_end(slots[i]);
  return ops_report("large_blocks", ops);
}
