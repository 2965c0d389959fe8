// clean
// SPDX-License-Identifier: MIT
//
// But a file that has no name any more is memory of the program's own.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plant.h"

static void keep(void)
{
  FILE *file = tmpfile();
  if (file == NULL || ftruncate(fileno(file), 65536) != 0) abort();
  void **page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  page[17] = malloc(36);
  fclose(file);
}

int main(void)
{
  plant(keep);
  return 0;
}
