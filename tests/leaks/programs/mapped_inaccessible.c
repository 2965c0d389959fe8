// leaks: direct 1 block 36 bytes
// SPDX-License-Identifier: MIT
//
// What may not be read holds nothing: and the look does not fault.
#include <sys/mman.h>

#include "plant.h"

static void lose(void)
{
  void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[17] = malloc(36);
  mprotect(page, 4096, PROT_NONE);
}

int main(void)
{
  plant(lose);
  return 0;
}
