// leaks: direct 1 block 3000000 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  char *block = malloc(200000);
  block[0] = 1;
  plant_use(realloc(block, 3000000));
}

int main(void)
{
  plant(lose);
  return 0;
}
