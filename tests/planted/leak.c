// expect: valgrind "are definitely lost"
// SPDX-License-Identifier: MIT
//
// Loses the last pointers to some blocks. (The first may lie where the region begins: mend knows
// that.)
#include "../support/support.h"
#include "mend/mend.h"

__attribute__((noinline)) static void lose(size_t bytes)
{
  unsigned char *block = mend_malloc(bytes);
  CHECK(block != NULL);
  ((unsigned char *)opaque(block))[0] = 1;
}

int main(void)
{
  for (size_t bytes = 10000; bytes < 10004; bytes++) lose(bytes);
  return 0;
}
