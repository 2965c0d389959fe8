// leaks: direct 1 block 56 bytes
// SPDX-License-Identifier: MIT
//
// An address in other bits than its own is none for a scan: a limit that docs/leaks.md states.
#include "plant.h"

static uintptr_t hidden;

static void lose(void)
{
  hidden = plant_hide(malloc(56));
}

int main(void)
{
  plant(lose);
  return hidden == 0;
}
