// expect: valgrind "12,345 bytes in 1 blocks are definitely lost"
// SPDX-License-Identifier: MIT
//
// Loses the last pointer to a block.
#include "../support/support.h"
#include "mend/mend.h"

__attribute__((noinline)) static void lose(void)
{
  unsigned char *block = mend_malloc(12345);
  CHECK(block != NULL);
  ((unsigned char *)opaque(block))[0] = 1;
}

int main(void)
{
  lose();
  return 0;
}
