// SPDX-License-Identifier: MIT
//
// Question: what does the shortest path cost, one malloc and one free of one size in a loop?
//
// Model: one thread, 64-byte blocks, never more than one of them live. All of an allocator's
// caches are warm; what is left is the number of instructions of the two fast paths.
#include "common.h"

enum { SIZE = 64, ROUNDS = 80000000 };

int main(int argc, char **argv)
{
  const size_t ops = work_scale(argc, argv) * ROUNDS;
  for (size_t i = 0; i < ops; i++) block_end(block_new(SIZE));
  return ops_report("fixed_size", ops);
}
