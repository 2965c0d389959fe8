// expect: abort "free of a pointer inside a block"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(64 * MIB);
  CHECK(block != NULL);
  free(opaque(block + 32 * MIB));
  return 0;
}
