// clean
// SPDX-License-Identifier: MIT
//
// An array of objects with destructors has its count in front: only the address behind it is known.
#include "plant.h"

struct thing {
  int number = 1;
  ~thing()
  {
    number = 0;
  }
};

static thing *kept;

static void keep()
{
  kept = new thing[10];
}

int main()
{
  plant(keep);
  return kept == nullptr;
}
