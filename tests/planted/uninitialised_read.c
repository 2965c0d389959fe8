// expect: msan "use-of-uninitialized-value", valgrind "depends on uninitialised value"
// SPDX-License-Identifier: MIT
//
// Decides by a byte that nobody has written.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(100);
  CHECK(block != NULL);
  int result = 0;
  if (((unsigned char *)opaque(block))[40] == 7) result = 2;
  mend_free(block);
  return result;
}
