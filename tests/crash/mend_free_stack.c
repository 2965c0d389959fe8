// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
//
// The prefixed name tells the same.

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  _Alignas(16) char local[64];
  mend_free(opaque(local));
  return 0;
}
