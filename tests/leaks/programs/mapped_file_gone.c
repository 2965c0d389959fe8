// clean
// SPDX-License-Identifier: MIT
//
// A mapping of a file that has become shorter faults where the file has ended: the look survives,
// and goes on.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plant.h"

static void *kept;

static void keep(void)
{
  FILE *file = tmpfile();
  if (file == NULL || ftruncate(fileno(file), 65536) != 0) abort();
  void **page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
  page[17] = malloc(36);
  if (ftruncate(fileno(file), 4096) != 0) abort();
  fclose(file);
  kept = malloc(36);
}

int main(void)
{
  plant(keep);
  return kept == NULL;
}
