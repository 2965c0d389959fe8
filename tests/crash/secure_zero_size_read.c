// expect: signal SEGV
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(0, MEND_SECURE_MAY_SWAP);
  return ((volatile char *)opaque(block))[0] & 0;
}
