// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
//
// The C++ operator under its own name.
#include <stdlib.h>

#include "../support/support.h"

void operator_delete(void *block) __asm__("_ZdlPv");

int main(void)
{
  _Alignas(16) char local[64];
  operator_delete(opaque(local));
  return 0;
}
