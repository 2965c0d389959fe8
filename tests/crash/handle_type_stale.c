// expect: abort "type of a handle that names no object"
// SPDX-License-Identifier: MIT

#include "../support/respawn.h"
#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  respawn_self_with("MEND_HANDLE_CHECK", "1");
  mend_handle handle = mend_handle_alloc(100);
  CHECK(mend_handle_free(handle) == MEND_OK);
  return mend_handle_type(handle) != 0;
}
