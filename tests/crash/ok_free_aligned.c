// expect: success
// SPDX-License-Identifier: MIT
//
// An aligned block may start inside of what was set apart for it: no interior pointer to the user.
#include <malloc.h>
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  for (size_t alignment = 16; alignment <= 16 * MIB; alignment *= 2) {
    for (size_t size = 1; size <= MIB; size = size * 3 + 1) {
      char *block = aligned_alloc(alignment, size);
      CHECK(block != NULL && is_aligned(block, alignment));
      CHECK(malloc_usable_size(block) >= size);
      block = realloc(opaque(block), size + 1);
      CHECK(block != NULL);
      free(block);
    }
  }
  return 0;
}
