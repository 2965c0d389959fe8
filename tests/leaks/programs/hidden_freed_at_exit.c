// clean
// SPDX-License-Identifier: MIT
//
// What a handler of atexit frees is no leak: the look comes after it.
#include "plant.h"

static uintptr_t hidden;

static void end(void)
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
  return atexit(end);
}
