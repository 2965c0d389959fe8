// leaks: direct 1 block 88 bytes
// SPDX-License-Identifier: MIT
//
// After main.
#include "plant.h"

static void lose(void)
{
  plant_use(malloc(88));
}

__attribute__((destructor)) static void end(void)
{
  plant(lose);
}

int main(void)
{
  return 0;
}
