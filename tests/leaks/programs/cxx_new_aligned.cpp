// leaks: direct 2 blocks 576 bytes
// SPDX-License-Identifier: MIT
#include <new>

#include "plant.h"

struct alignas(64) line {
  char bytes[64];
};

static void lose()
{
  plant_use(new line);
  plant_use(new line[8]);
}

int main()
{
  plant(lose);
}
