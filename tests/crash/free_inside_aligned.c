// expect: abort "free of a pointer inside a block"
// SPDX-License-Identifier: MIT
//
// As aligned as the block itself, and yet not its start.
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = aligned_alloc(4096, 20480);
  CHECK(block != NULL);
  free(opaque(block + 4096));
  return 0;
}
