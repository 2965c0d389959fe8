// expect: abort "realloc of a misaligned pointer"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(100);
  CHECK(block != NULL);
  return realloc(opaque(block + 8), 200) == NULL;
}
