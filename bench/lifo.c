// SPDX-License-Identifier: MIT
//
// Question: what do blocks cost that are freed in the reverse order of their allocation?
//
// Model: one thread builds a stack of 2,000 blocks of 16 to 256 bytes and takes it down again, as
// recursive programs (parsers, tree walks) do. The last block freed is the first one reused.
#include "common.h"

enum { DEPTH = 2000, ROUNDS = 10000 };

int main(int argc, char **argv)
{
  const size_t rounds = work_scale(argc, argv) * ROUNDS;
  struct random random = random_seeded(2);
  void **stack = table_map(DEPTH * sizeof *stack);
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < DEPTH; i++) stack[i] = block_new(random_between(&random, 16, 256));
    for (size_t i = DEPTH; i-- > 0;) block_end(stack[i]);
  }
  return ops_report("lifo", rounds * DEPTH);
}
