// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  _Alignas(16) char local[64];
  free(opaque(local));
  return 0;
}
