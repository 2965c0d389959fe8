// expect: asan "use-after-poison", valgrind "Invalid write of size 1"
// SPDX-License-Identifier: MIT
//
// Writes into a block that has been freed.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(200);
  CHECK(block != NULL);
  unsigned char *stale = opaque(block);
  mend_free(block);
  stale[100] = 1;
  return 0;
}
