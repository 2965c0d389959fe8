// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

void free_sized(void *block, size_t size);  // C23

int main(void)
{
  _Alignas(16) char local[64];
  free_sized(opaque(local), sizeof local);
  return 0;
}
