// clean
// SPDX-License-Identifier: MIT
//
// A local static object that frees, when the program ends, a block whose address nobody can see.
#include "plant.h"

struct owner {
  uintptr_t hidden = plant_hide(malloc(77));
  ~owner()
  {
    free(plant_seek(hidden));
  }
};

static void keep()
{
  static owner only;
  plant_use(&only);
}

int main()
{
  plant(keep);
}
