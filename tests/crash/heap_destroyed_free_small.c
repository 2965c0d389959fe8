// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
//
// The block's page went with its heap.
#include <stdlib.h>

#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  mend_heap *heap = mend_heap_create();
  CHECK(heap != NULL);
  void *block = mend_heap_malloc(heap, 100);
  mend_heap_destroy(heap);
  free(opaque(block));
  return 0;
}
