// clean
// SPDX-License-Identifier: MIT
//
// Blocks of a first-class heap that variables hold, and of one that has been destroyed.
// link: mend
// memcheck: not judged: it knows no first-class heaps
#include "mend/mend.h"
#include "plant.h"

static mend_heap *kept_heap;
static void *kept;

static void keep(void)
{
  mend_heap *gone = mend_heap_create();
  kept_heap = mend_heap_create();
  kept = mend_heap_malloc(kept_heap, 40);
  for (int i = 0; i < 100; i++) plant_use(mend_heap_malloc(gone, 40));
  mend_heap_destroy(gone);
}

int main(void)
{
  plant(keep);
  return kept == NULL;
}
