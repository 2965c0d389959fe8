// leaks: direct 1 block 120 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  plant_use(calloc(10, 12));
}

int main(void)
{
  plant(lose);
  return 0;
}
