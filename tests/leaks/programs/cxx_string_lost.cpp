// leaks: direct 1 block 32 bytes; indirect 1 block 101 bytes
// SPDX-License-Identifier: MIT
//
// frames: elsewhere
#include <string>

#include "plant.h"

static void lose()
{
  plant_use(new std::string(100, 'x'));
}

int main()
{
  plant(lose);
}
