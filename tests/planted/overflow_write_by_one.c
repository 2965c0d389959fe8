// expect: asan "use-after-poison", valgrind "Invalid write of size 1"
// SPDX-License-Identifier: MIT
//
// Writes the byte after a block whose size is not that of its class.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(100);
  CHECK(block != NULL);
  ((unsigned char *)opaque(block))[100] = 1;
  mend_free(block);
  return 0;
}
