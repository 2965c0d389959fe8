// expect: asan "use-after-poison", valgrind "Invalid write of size 1"
// SPDX-License-Identifier: MIT
//
// Writes the byte before a block; the one before it is free.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *first = mend_malloc(48);
  unsigned char *second = mend_malloc(48);
  CHECK(first != NULL && second != NULL);
  unsigned char *upper = first < second ? second : first;
  unsigned char *lower = first < second ? first : second;
  mend_free(lower);
  ((unsigned char *)opaque(upper))[-1] = 1;
  mend_free(upper);
  return 0;
}
