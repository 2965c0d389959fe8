// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

void cfree(void *block);  // no header has it any more

int main(void)
{
  _Alignas(16) char local[64];
  cfree(opaque(local));
  return 0;
}
