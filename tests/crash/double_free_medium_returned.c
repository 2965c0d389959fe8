// expect: abort "double free"; hardened: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
//
// The thread does not keep the block for itself any more.
#include <stdlib.h>

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  char *block = malloc(6000);
  char *neighbour = malloc(6000);  // keeps the page in use
  CHECK(block != NULL && neighbour != NULL);
  char *again = opaque(block);
  free(block);
  mend_malloc_trim(0);
  free(again);
  return neighbour == NULL;
}
