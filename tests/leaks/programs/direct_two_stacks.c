// leaks: direct 5 blocks 500 bytes
// SPDX-License-Identifier: MIT
//
// One function that allocates, called from two: two stacks.
#include "plant.h"

__attribute__((noinline)) static void allocate(void)
{
  plant_use(malloc(100));
}

__attribute__((noinline)) static void once(void)
{
  allocate();
  plant_use(NULL);
}

static void lose(void)
{
  for (int i = 0; i < 4; i++) allocate();
  once();
}

int main(void)
{
  plant(lose);
  return 0;
}
