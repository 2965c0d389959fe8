// leaks: direct 2 blocks 48 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  plant_use(malloc(16));
  plant_use(malloc(32));
}

int main(void)
{
  plant(lose);
  return 0;
}
