// expect: asan "mend: ", valgrind "Invalid free() / delete / delete[] / realloc()"
// SPDX-License-Identifier: MIT
//
// Frees a block twice. Under ASan it is mend that tells.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(6000);
  unsigned char *neighbour = mend_malloc(6000);  // keeps the page in use
  CHECK(block != NULL && neighbour != NULL);
  unsigned char *again = opaque(block);
  mend_free(block);
  mend_free(again);
  mend_free(neighbour);
  return 0;
}
