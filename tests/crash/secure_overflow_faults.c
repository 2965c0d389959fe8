// expect: signal SEGV
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(96, MEND_SECURE_MAY_SWAP);
  ((volatile char *)opaque(block))[96] = 1;
  return 0;
}
