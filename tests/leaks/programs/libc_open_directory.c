// leaks: direct 1 block any bytes
// SPDX-License-Identifier: MIT
//
// frames: elsewhere
#include <dirent.h>

#include "plant.h"

static void lose(void)
{
  plant_use(opendir("/"));
}

int main(void)
{
  plant(lose);
  return 0;
}
