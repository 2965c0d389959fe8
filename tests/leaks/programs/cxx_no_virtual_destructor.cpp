// leaks: direct 1 block 101 bytes
// SPDX-License-Identifier: MIT
//
// Deleted by its base, which does not know that there is a string.
// frames: elsewhere
#include <string>

#include "plant.h"

struct base {
  int number = 1;
};

struct derived : base {
  std::string text = std::string(100, 'x');
};

static void lose()
{
  base *object = new derived;
  plant_use(object);
  operator delete(object);
}

int main()
{
  plant(lose);
}
