// expect: msan "use-of-uninitialized-value", valgrind "depends on uninitialised value"
// SPDX-License-Identifier: MIT
//
// The same in memory that an earlier block has written.
#include <stdio.h>

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = NULL;
  for (int round = 0; round < 2; round++) {
    block = mend_malloc(100);
    CHECK(block != NULL);
    if (round == 0) {
      for (size_t i = 0; i < 100; i++) block[i] = 7;
      mend_free(opaque(block));
    }
  }
  if (((unsigned char *)opaque(block))[40] == 7) puts("seven");
  mend_free(block);
  return 0;
}
