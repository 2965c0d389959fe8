// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  free(opaque((void *)((uintptr_t)&main & ~(uintptr_t)15)));
  return 0;
}
