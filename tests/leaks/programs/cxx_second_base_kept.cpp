// clean
// SPDX-License-Identifier: MIT
//
// A pointer to the second base points into the object.
#include "plant.h"

struct first {
  long number = 1;
  virtual ~first() = default;
};

struct second {
  long number = 2;
  virtual ~second() = default;
};

struct both : first, second {
};

static second *kept;

static void keep()
{
  kept = new both;
}

int main()
{
  plant(keep);
  return kept == nullptr;
}
