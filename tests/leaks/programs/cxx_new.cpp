// leaks: direct 4 blocks 148 bytes
// SPDX-License-Identifier: MIT
#include <new>

#include "plant.h"

static void lose()
{
  plant_use(new int(1));
  plant_use(new char[100]);
  plant_use(new (std::nothrow) long(2));
  plant_use(operator new(36));
}

int main()
{
  plant(lose);
}
