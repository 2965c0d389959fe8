// expect: asan "use-after-poison", msan "uninitialized-value", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// The same of an object that has a handle.
#include <string.h>

#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  mend_handle handle = mend_handle_alloc_pinned(1000000);
  CHECK(!mend_handle_is_null(handle));
  unsigned char *stale = mend_resolve(handle);
  memset(stale, 0, 1000000);
  CHECK(mend_handle_realloc(handle, 300000) == MEND_OK);
  CHECK(mend_resolve(handle) == stale);
  if (((unsigned char *)opaque(stale))[900000] == 1) return 1;
  CHECK(mend_handle_free(handle) == MEND_OK);
  return 0;
}
