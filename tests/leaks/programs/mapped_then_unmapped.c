// leaks: direct 1 block 36 bytes
// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include "plant.h"

static void lose(void)
{
  void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[17] = malloc(36);
  munmap(page, 4096);
}

int main(void)
{
  plant(lose);
  return 0;
}
