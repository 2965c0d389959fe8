// expect: abort "realloc of a secure block"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(100, MEND_SECURE_MAY_SWAP);
  free(realloc(opaque(block), 200));
  return 0;
}
