// expect: abort "malloc_usable_size of a pointer inside a block"
// SPDX-License-Identifier: MIT
#include <malloc.h>
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(300 * KIB);
  CHECK(block != NULL);
  return malloc_usable_size(opaque(block + 16)) > 0;
}
