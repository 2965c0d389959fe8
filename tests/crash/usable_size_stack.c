// expect: abort "malloc_usable_size of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <malloc.h>

#include "../support/support.h"

int main(void)
{
  _Alignas(16) char local[64];
  return malloc_usable_size(opaque(local)) > 0;
}
