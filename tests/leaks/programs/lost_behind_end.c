// leaks: direct 1 block 32 bytes
// SPDX-License-Identifier: MIT
//
// The address just behind a block's end is not one of the block.
#include "plant.h"

static char *kept;

static void lose(void)
{
  kept = malloc(32);
  kept += 32;
}

int main(void)
{
  plant(lose);
  return kept == NULL;
}
