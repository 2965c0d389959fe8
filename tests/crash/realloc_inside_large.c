// expect: abort "realloc of a pointer inside a block"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(300 * KIB);
  CHECK(block != NULL);
  return realloc(opaque(block + 128 * KIB), 100) == NULL;
}
