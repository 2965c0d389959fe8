// SPDX-License-Identifier: MIT
//
// Question: what does a malloc and a free cost when sizes and lifetimes are random?
//
// Model: one thread with 10,000 live blocks of 8 to 1024 bytes (uniform). Each step frees the
// block of a random slot and puts a new one of a random size there, so lifetimes are geometric.
#include "common.h"

enum { SLOTS = 10000, ROUNDS = 20000000 };

int main(int argc, char **argv)
{
  const size_t ops = work_scale(argc, argv) * ROUNDS;
  struct random random = random_seeded(1);
  void **slots = table_map(SLOTS * sizeof *slots);
  for (size_t i = 0; i < ops; i++) {
    void **slot = &slots[random_below(&random, SLOTS)];
    block_end(*slot);
    *slot = block_new(random_between(&random, BLOCK_MIN, 1024));
  }
  for (size_t i = 0; i < SLOTS; i++) block_end(slots[i]);
  return ops_report("random_sizes", ops);
}
