// clean
// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include "plant.h"

static void keep(void)
{
  void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  page[17] = malloc(36);
}

int main(void)
{
  plant(keep);
  return 0;
}
