// leaks: direct 1 block 36 bytes
// SPDX-License-Identifier: MIT
//
// An address in a file that is mapped to be shared means nothing to who reads it later.
// memcheck: clean: it looks into every mapping
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plant.h"

static char path[4096];

static void lose(void)
{
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || ftruncate(file, 65536) != 0) abort();
  void **page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  page[17] = malloc(36);
  close(file);
}

int main(int count, char **arguments)
{
  snprintf(path, sizeof path, "%s.mapped", arguments[count - 1]);
  plant(lose);
  return 0;
}
