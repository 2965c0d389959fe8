// expect: abort "use of a pointer inside a secure block"
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(100, MEND_SECURE_MAY_SWAP);
  mend_secure_free(block + 16);
  return 0;
}
