// SPDX-License-Identifier: MIT
//
// What a thread does in both programs about false sharing, again and again: where its block shares
// a cache line with another thread's, every write is a transfer between cores.
#ifndef BENCH_FALSE_SHARING_H
#define BENCH_FALSE_SHARING_H

#include "threads.h"

enum { SIZE = 8, WRITES = 100 };

// Allocates a block, writes it WRITES times and frees it.
static inline void block_write_often(void)
{
  void *block = block_new(SIZE);
  volatile unsigned char *counter = (unsigned char *)block + 4;
  *counter = 0;
  for (int write = 0; write < WRITES; write++) (*counter)++;
  if (*counter != WRITES) die("a counter is wrong");
  block_end(block);
}

#endif
