// expect: abort "free of a misaligned pointer"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(20000);
  CHECK(block != NULL);
  free(opaque(block + 8));
  return 0;
}
