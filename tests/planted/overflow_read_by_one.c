// expect: asan "use-after-poison", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// Reads the byte after a block.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(5000);
  CHECK(block != NULL);
  volatile int byte = ((unsigned char *)opaque(block))[5000];
  mend_free(block);
  return byte == 256;
}
