// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  char *block = malloc(3000);
  CHECK(block != NULL);
  char *again = opaque(block);
  free(block);
  mend_malloc_trim(0);  // the page goes: no block of it is in use
  free(again);
  return 0;
}
