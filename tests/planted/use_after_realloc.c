// expect: asan "use-after-poison", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// Reads a block at the address that it had before it was resized.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(100);
  CHECK(block != NULL);
  block[50] = 1;
  unsigned char *stale = opaque(block);
  unsigned char *moved = mend_realloc(block, 100000);
  CHECK(moved != NULL && moved != stale);
  volatile int byte = stale[50];
  mend_free(moved);
  return byte == 256;
}
