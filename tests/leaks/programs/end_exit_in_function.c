// leaks: direct 1 block 24 bytes
// SPDX-License-Identifier: MIT
//
// exit from far below main.
#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

static void descend(int depth)
{
  if (depth > 0) descend(depth - 1);
  exit(0);
}

int main(void)
{
  plant(lose);
  descend(100);
}
