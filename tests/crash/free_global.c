// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

_Alignas(16) static char global[64];

int main(void)
{
  free(opaque(global));
  return 0;
}
