// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(2 * MIB);
  CHECK(block != NULL);
  char *inside = opaque(block + MIB);
  free(block);
  free(inside);
  return 0;
}
