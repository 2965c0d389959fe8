// leaks: direct 1 block 800000 bytes; indirect 1000 blocks 16000 bytes
// SPDX-License-Identifier: MIT
//
// What is in a large block is read to its end.
#include "plant.h"

static void lose(void)
{
  void **table = malloc(100000 * sizeof *table);
  memset(table, 0, 100000 * sizeof *table);
  for (size_t i = 0; i < 1000; i++) table[100 * i + 99] = malloc(16);
}

int main(void)
{
  plant(lose);
  return 0;
}
