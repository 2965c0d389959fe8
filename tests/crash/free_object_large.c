// expect: abort "free of an object that has a handle"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  void *object = mend_resolve(mend_handle_alloc(MIB));
  CHECK(object != NULL);
  free(opaque(object));
  return 0;
}
