// leaks: direct 2 blocks 9437184 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  plant_use(malloc((size_t)1 << 20));
  plant_use(malloc((size_t)8 << 20));
}

int main(void)
{
  plant(lose);
  return 0;
}
