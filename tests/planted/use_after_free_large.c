// expect: asan "use-after-poison", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// Reads a large block that has been freed.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(300000);
  CHECK(block != NULL);
  block[150000] = 1;
  unsigned char *stale = opaque(block);
  mend_free(block);
  volatile int byte = stale[150000];
  return byte == 256;
}
