// expect: abort "use of a pointer that is no secure block"
// SPDX-License-Identifier: MIT
#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  _Alignas(16) char local[64];
  mend_secure_free(opaque(local));
  return 0;
}
