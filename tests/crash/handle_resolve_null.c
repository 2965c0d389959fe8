// expect: abort "resolve of a handle that names no object"
// SPDX-License-Identifier: MIT

#include "../support/respawn.h"
#include "../support/support.h"
#include "mend/handle.h"

int main(void)
{
  respawn_self_with("MEND_HANDLE_CHECK", "1");
  return mend_resolve(MEND_HANDLE_NULL) != NULL;
}
