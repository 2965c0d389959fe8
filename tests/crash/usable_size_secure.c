// expect: abort "malloc_usable_size of a secure block"
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(100, MEND_SECURE_MAY_SWAP);
  return mend_malloc_usable_size(opaque(block)) > 0;
}
