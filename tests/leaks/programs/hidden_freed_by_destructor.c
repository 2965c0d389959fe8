// clean
// SPDX-License-Identifier: MIT
//
// The same of a function that runs at the program's end.
#include "plant.h"

static uintptr_t hidden;

__attribute__((destructor)) static void end(void)
{
  free(plant_seek(hidden));
}

static void keep(void)
{
  hidden = plant_hide(malloc(56));
}

int main(void)
{
  plant(keep);
  return 0;
}
