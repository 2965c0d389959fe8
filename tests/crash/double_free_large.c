// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(300 * KIB);
  CHECK(block != NULL);
  char *again = opaque(block);
  free(block);
  free(again);
  return 0;
}
