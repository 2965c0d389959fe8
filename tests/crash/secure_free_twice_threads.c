// expect: abort "use of a secure block that has been freed"
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

static void *free_it(void *block)
{
  mend_secure_free(*(void **)block);
  return NULL;
}

int main(void)
{
  void *block = mend_secure_alloc(100, MEND_SECURE_MAY_SWAP);
  threads_run(2, free_it, &block, 0);  // of more, several would tell
  return 0;
}
