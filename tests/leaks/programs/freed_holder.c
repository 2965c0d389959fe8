// leaks: direct 1 block 48 bytes
// SPDX-License-Identifier: MIT
//
// The only address of the block is in one that is free.
#include "plant.h"

static void lose(void)
{
  struct node **holder = calloc(8, sizeof *holder);
  holder[6] = malloc(48);
  free(holder);
}

int main(void)
{
  plant(lose);
  return 0;
}
