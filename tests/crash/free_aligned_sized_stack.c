// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

void free_aligned_sized(void *block, size_t alignment, size_t size);  // C23

int main(void)
{
  _Alignas(16) char local[64];
  free_aligned_sized(opaque(local), 16, sizeof local);
  return 0;
}
