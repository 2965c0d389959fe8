// expect: abort "write past the end of a secure block"
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(100, MEND_SECURE_MAY_SWAP);
  ((volatile char *)opaque(block))[100] ^= 1;  // another value, whatever is there
  mend_secure_free(block);
  return 0;
}
