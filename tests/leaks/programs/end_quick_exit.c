// leaks: direct 1 block 24 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  plant(lose);
  quick_exit(0);
}
