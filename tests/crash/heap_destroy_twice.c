// expect: abort "destroy of a heap that does not exist"
// SPDX-License-Identifier: MIT
#include "mend/mend.h"

int main(void)
{
  mend_heap *heap = mend_heap_create();
  mend_heap_destroy(heap);
  mend_heap_destroy(heap);
  return 0;
}
