// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// Aligned to more than the largest page of blocks.
#include <malloc.h>

#include "plant.h"

static void lose(void)
{
  plant_use(memalign(1 << 20, 100));
}

int main(void)
{
  plant(lose);
  return 0;
}
