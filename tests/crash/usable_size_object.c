// expect: abort "malloc_usable_size of an object that has a handle"
// SPDX-License-Identifier: MIT
#include <malloc.h>

#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  void *object = mend_resolve(mend_handle_alloc(100));
  CHECK(object != NULL);
  return malloc_usable_size(opaque(object)) > 0;
}
