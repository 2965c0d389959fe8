// expect: abort "malloc_usable_size of a misaligned pointer"
// SPDX-License-Identifier: MIT
#include <malloc.h>
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(100);
  CHECK(block != NULL);
  return malloc_usable_size(opaque(block + 8)) > 0;
}
