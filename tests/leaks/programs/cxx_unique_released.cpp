// leaks: direct 1 block 400 bytes
// SPDX-License-Identifier: MIT
#include <memory>

#include "plant.h"

static void lose()
{
  auto owner = std::make_unique<int[]>(100);
  plant_use(owner.release());
}

int main()
{
  plant(lose);
}
