// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
//
// The part of a block that shrinking has given back.
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(2 * MIB);
  CHECK(block != NULL);
  char *tail = opaque(block + MIB);
  block = realloc(block, 100 * KIB);
  CHECK(block != NULL);
  free(tail);
  return 0;
}
