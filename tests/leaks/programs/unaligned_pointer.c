// leaks: direct 1 block 60 bytes
// SPDX-License-Identifier: MIT
//
// Addresses that are not stored at a multiple of their size are not looked for: a limit that
// docs/leaks.md states.
#include "plant.h"

static char packed[32] __attribute__((aligned(16)));

static void lose(void)
{
  void *block = malloc(60);
  memcpy(packed + 3, &block, sizeof block);
}

int main(void)
{
  plant(lose);
  return packed[3] == packed[4];
}
