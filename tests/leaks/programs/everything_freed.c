// clean
// SPDX-License-Identifier: MIT
//
// Blocks of all sizes by all ways, given back.
#include <malloc.h>

#include "plant.h"

static void work(void)
{
  for (size_t size = 0; size < 200000; size = size * 5 / 4 + 1) {
    free(malloc(size));
    free(calloc(size, 3));
    free(realloc(malloc(size), 2 * size + 1));
    free(memalign(64, size));
    free(reallocarray(NULL, size + 1, 2));
  }
  free(NULL);
}

int main(void)
{
  plant(work);
  return 0;
}
