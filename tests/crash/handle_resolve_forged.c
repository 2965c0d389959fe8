// expect: abort "resolve of a handle that names no object"
// SPDX-License-Identifier: MIT

#include "../support/respawn.h"
#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  respawn_self_with("MEND_HANDLE_CHECK", "1");
  CHECK(!mend_handle_is_null(mend_handle_alloc(100)));
  return mend_resolve((mend_handle){UINT64_C(0x123456789abcdef)}) != NULL;
}
