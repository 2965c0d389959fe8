// leaks: direct 10 blocks 40 bytes
// SPDX-License-Identifier: MIT
//
// The vector goes, its elements stay.
#include <vector>

#include "plant.h"

static void lose()
{
  std::vector<int *> numbers;
  for (int i = 0; i < 10; i++) numbers.push_back(new int(i));
}

int main()
{
  plant(lose);
}
