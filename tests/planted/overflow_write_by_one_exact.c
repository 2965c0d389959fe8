// expect: asan "use-after-poison", valgrind "Invalid write of size 1"
// SPDX-License-Identifier: MIT
//
// Writes the byte after a block that was asked for with the size of a class.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(64);
  CHECK(block != NULL);
  ((unsigned char *)opaque(block))[64] = 1;
  mend_free(block);
  return 0;
}
