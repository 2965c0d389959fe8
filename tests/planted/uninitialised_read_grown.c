// expect: msan "use-of-uninitialized-value", valgrind "depends on uninitialised value"
// SPDX-License-Identifier: MIT
//
// Decides by a byte that realloc has added.
#include <stdio.h>

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_zalloc(100);
  CHECK(block != NULL);
  block = mend_realloc(block, 1000);
  CHECK(block != NULL);
  if (((unsigned char *)opaque(block))[50] != 0) return 3;  // this one is initialised
  if (((unsigned char *)opaque(block))[500] == 7) puts("seven");
  mend_free(block);
  return 0;
}
