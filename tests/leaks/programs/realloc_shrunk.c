// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  plant_use(realloc(malloc(9000), 100));
}

int main(void)
{
  plant(lose);
  return 0;
}
