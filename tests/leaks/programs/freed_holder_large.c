// leaks: direct 1 block 48 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  void **holder = calloc(50000, sizeof *holder);
  holder[40000] = malloc(48);
  free(holder);
}

int main(void)
{
  plant(lose);
  return 0;
}
