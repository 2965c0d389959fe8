// expect: asan "use-after-poison", msan "uninitialized-value", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// Reads what was cut off a large block that has been shrunk where it is.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_calloc(1, 1000000);
  CHECK(block != NULL);
  unsigned char *stale = opaque(block);
  CHECK(mend_realloc(block, 300000) == stale);
  if (stale[900000] == 1) return 1;
  mend_free(stale);
  return 0;
}
