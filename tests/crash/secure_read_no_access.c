// expect: signal SEGV
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(100, MEND_SECURE_MAY_SWAP);
  CHECK(mend_secure_protect(block, MEND_SECURE_NO_ACCESS));
  return ((volatile char *)opaque(block))[0] & 0;
}
