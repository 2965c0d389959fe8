// clean
// SPDX-License-Identifier: MIT
//
// Memory that the program has mapped for itself holds the only address of a block; nothing holds
// the memory's own.
#include <sys/mman.h>

#include "plant.h"

static void keep(void)
{
  void **page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[8000] = malloc(36);
}

int main(void)
{
  plant(keep);
  return 0;
}
