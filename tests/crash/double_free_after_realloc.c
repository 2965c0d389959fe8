// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(300 * KIB);
  CHECK(block != NULL);
  char *old = opaque(block);
  char *wall = malloc(300 * KIB);  // so that the block has to move
  char *moved = realloc(block, 64 * MIB);
  CHECK(wall != NULL && moved != NULL && moved != old);
  free(old);
  return 0;
}
