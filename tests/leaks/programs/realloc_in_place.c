// leaks: direct 1 block 26 bytes
// SPDX-License-Identifier: MIT
//
// The new size is one that the block has room for.
#include "plant.h"

static void lose(void)
{
  plant_use(realloc(malloc(25), 26));
}

int main(void)
{
  plant(lose);
  return 0;
}
