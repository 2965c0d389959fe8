// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// What a constructor has allocated by hand is lost when it throws; the object itself is not.
#include <stdexcept>

#include "plant.h"

struct thing {
  char *bytes = new char[100];
  thing()
  {
    throw std::runtime_error("no");
  }
};

static void lose()
{
  try {
    plant_use(new thing);
  } catch (const std::runtime_error &) {
    plant_use(nullptr);
  }
}

int main()
{
  plant(lose);
}
