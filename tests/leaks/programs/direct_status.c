// leaks: direct 1 block 5 bytes
// SPDX-License-Identifier: MIT
// status: 3
//
// The program's own status is not 0: it is told of where there are no leaks, and 23 where there
// are.
#include "plant.h"

static void lose(void)
{
  plant_use(malloc(5));
}

int main(void)
{
  plant(lose);
  return 3;
}
