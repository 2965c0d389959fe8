// leaks: direct 4 blocks 5384 bytes
// SPDX-License-Identifier: MIT
#include <malloc.h>

#include "plant.h"

static void lose(void)
{
  void *block = NULL;
  plant_use(aligned_alloc(64, 128));
  if (posix_memalign(&block, 256, 1000) != 0) abort();
  plant_use(memalign(4096, 4096));
  plant_use(memalign(32, 160));
}

int main(void)
{
  plant(lose);
  return 0;
}
