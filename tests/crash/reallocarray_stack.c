// expect: abort "realloc of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  _Alignas(16) char local[64];
  return reallocarray(opaque(local), 10, 10) == NULL;
}
