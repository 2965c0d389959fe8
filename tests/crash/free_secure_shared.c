// expect: abort "free of a secure block"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(32, MEND_SECURE_MAY_SWAP | MEND_SECURE_SHARE_PAGES);
  free(opaque(block));
  return 0;
}
