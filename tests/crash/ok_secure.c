// expect: success
// SPDX-License-Identifier: MIT
#include <string.h>

#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  for (unsigned flags = 0; flags <= MEND_SECURE_SHARE_PAGES; flags += MEND_SECURE_SHARE_PAGES) {
    char *block = mend_secure_alloc(100, flags | MEND_SECURE_MAY_SWAP);
    CHECK(block != NULL);
    memset(block, 1, 100);
    CHECK(mend_secure_size(block) == 100 && mend_secure_owns(block + 99));
    CHECK(flags != 0 || mend_secure_protect(block, MEND_SECURE_NO_ACCESS));
    mend_secure_free(block);
  }
  mend_secure_free(NULL);
  return 0;
}
