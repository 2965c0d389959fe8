// expect: abort "double free"
// SPDX-License-Identifier: MIT

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  mend_heap *heap = mend_heap_create();
  CHECK(heap != NULL);
  char *block = mend_heap_malloc(heap, 6000);
  char *neighbour = mend_heap_malloc(heap, 6000);  // keeps the page in use
  CHECK(block != NULL && neighbour != NULL);
  char *again = opaque(block);
  mend_free(block);
  mend_free(again);
  return 0;
}
