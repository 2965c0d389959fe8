// expect: success
// SPDX-License-Identifier: MIT

#include "../support/respawn.h"
#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  respawn_self_with("MEND_HANDLE_CHECK", "1");
  mend_handle handle = mend_handle_zalloc(100);
  CHECK(mend_resolve(handle) != NULL && mend_pin(handle) != NULL);
  CHECK(mend_unpin(handle) == MEND_OK && mend_unpin(handle) == MEND_INVALID);
  CHECK(mend_handle_realloc(handle, 5000) == MEND_OK && mend_handle_size(handle) == 5000);
  CHECK(mend_resolve_weak(handle) == mend_resolve(handle));
  CHECK(mend_handle_status(MEND_HANDLE_NULL) == MEND_FOREIGN);
  CHECK(mend_handle_free(MEND_HANDLE_NULL) == MEND_OK);
  CHECK(mend_handle_free(handle) == MEND_OK && mend_handle_status(handle) == MEND_STALE);
  CHECK(mend_resolve_weak(handle) == NULL && mend_resolve_weak(MEND_HANDLE_NULL) == NULL);
  return 0;
}
