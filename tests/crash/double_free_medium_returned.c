// expect: abort "double free"
// SPDX-License-Identifier: MIT
//
// The thread does not keep the block for itself any more.
#include <stdlib.h>

#include "../support/support.h"
#include "mend/mend.h"

enum { NEIGHBOURS = 1000 };

int main(void)
{
  static char *neighbours[NEIGHBOURS];  // keep the page in use, wherever in it the block is
  char *block = malloc(6000);
  CHECK(block != NULL);
  for (size_t i = 0; i < NEIGHBOURS; i++) CHECK((neighbours[i] = malloc(6000)) != NULL);
  char *again = opaque(block);
  free(block);
  mend_malloc_trim(0);
  free(again);
  return neighbours[0] == NULL;
}
