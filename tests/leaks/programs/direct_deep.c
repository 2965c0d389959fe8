// leaks: direct 1 block 64 bytes
// SPDX-License-Identifier: MIT
//
// More callers than a stack holds.
// frames: elsewhere
#include "plant.h"

__attribute__((noinline)) static void descend(int depth)
{
  if (depth == 0) {
    plant_use(malloc(64));
  } else {
    descend(depth - 1);
  }
  plant_use(NULL);
}

static void lose(void)
{
  descend(200);
}

int main(void)
{
  plant(lose);
  return 0;
}
