// expect: abort "free of an object that has a handle"
// SPDX-License-Identifier: MIT

#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  void *object = mend_resolve(mend_handle_alloc_pinned(100));
  CHECK(object != NULL);
  mend_free(opaque(object));
  return 0;
}
