// expect: asan "mend: double free: 0x", valgrind "mend: double free: 0x"
// SPDX-License-Identifier: MIT
//
// Frees a small block twice. It is mend itself that tells, before it would tell the checker.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  unsigned char *block = mend_malloc(60);
  unsigned char *neighbour = mend_malloc(60);  // keeps the page in use
  CHECK(block != NULL && neighbour != NULL);
  unsigned char *again = opaque(block);
  mend_free(block);
  mend_free(again);
  mend_free(neighbour);
  return 0;
}
