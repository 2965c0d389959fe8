// expect: success
// SPDX-License-Identifier: MIT
//
// The same address, freed again and again, each time after it was handed out again.
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  void *last = NULL;
  for (size_t i = 0; i < 100000; i++) {
    void *block = malloc(100 + 5000 * (i % 3));
    CHECK(block != NULL);
    last = opaque(block);
    free(block);
  }
  return last == NULL;
}
