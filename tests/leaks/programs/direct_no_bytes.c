// leaks: direct 1 block 0 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  plant_use(malloc(0));
}

int main(void)
{
  plant(lose);
  return 0;
}
