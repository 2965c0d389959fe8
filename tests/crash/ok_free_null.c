// expect: success
// SPDX-License-Identifier: MIT
#include <malloc.h>
#include <stdlib.h>

#include "../support/support.h"

void operator_delete(void *block) __asm__("_ZdlPv");

int main(void)
{
  free(opaque(NULL));
  operator_delete(opaque(NULL));
  CHECK(malloc_usable_size(opaque(NULL)) == 0);
  return 0;
}
