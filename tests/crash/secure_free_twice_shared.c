// expect: abort "use of a secure block that has been freed"
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  char *block = mend_secure_alloc(32, MEND_SECURE_MAY_SWAP | MEND_SECURE_SHARE_PAGES);
  CHECK(mend_secure_alloc(32, MEND_SECURE_MAY_SWAP | MEND_SECURE_SHARE_PAGES) != NULL);
  mend_secure_free(block);
  mend_secure_free(opaque(block));
  return 0;
}
