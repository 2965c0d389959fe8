// leaks: cycle 101 blocks any bytes
// SPDX-License-Identifier: MIT
//
// The nodes of a map point to each other and back to the map's head, which is in the lost object.
#include <map>

#include "plant.h"

static void lose()
{
  auto *map = new std::map<int, int>;
  for (int i = 0; i < 100; i++) (*map)[i] = i;
}

int main()
{
  plant(lose);
}
