// expect: msan "use-of-uninitialized-value"
// SPDX-License-Identifier: MIT
//
// Decides by a byte of a block that has been freed.
#include <stdio.h>

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(200);
  CHECK(block != NULL);
  for (size_t i = 0; i < 200; i++) block[i] = 1;
  unsigned char *stale = opaque(block);
  mend_free(block);
  if (stale[100] == 7) puts("seven");
  return 0;
}
