// expect: msan "use-of-uninitialized-value", valgrind "depends on uninitialised value"
// SPDX-License-Identifier: MIT
//
// Decides by a byte that nobody has written.
#include <stdio.h>

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(100);
  CHECK(block != NULL);
  if (((unsigned char *)opaque(block))[40] == 7) puts("seven");
  mend_free(block);
  return 0;
}
