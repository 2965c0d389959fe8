// leaks: direct 1 block 40 bytes
// SPDX-License-Identifier: MIT
//
// A block of a first-class heap that nobody has destroyed yet.
// link: mend
// memcheck: not judged: it knows no first-class heaps
#include "mend/mend.h"
#include "plant.h"

static mend_heap *kept_heap;

static void lose(void)
{
  kept_heap = mend_heap_create();
  plant_use(mend_heap_malloc(kept_heap, 40));
}

int main(void)
{
  plant(lose);
  return kept_heap == NULL;
}
