// leaks: direct 1 block 5000 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  char *block = malloc(10);
  for (size_t size = 20; size <= 5000; size *= 2) block = realloc(block, size);
  plant_use(realloc(block, 5000));
}

int main(void)
{
  plant(lose);
  return 0;
}
