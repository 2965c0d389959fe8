// expect: abort "realloc of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  _Alignas(16) char local[64];
  return realloc(opaque(local), 100) == NULL;
}
