// expect: asan "use-after-poison", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// Reads a block whose heap has been destroyed.
#include "../support/support.h"
#include "mend/mend.h"

int main(void)
{
  mend_heap *heap = mend_heap_create();
  CHECK(heap != NULL);
  unsigned char *block = mend_heap_zalloc(heap, 100);
  CHECK(block != NULL);
  unsigned char *stale = opaque(block);
  mend_heap_destroy(heap);
  volatile int byte = stale[50];
  return byte == 256;
}
