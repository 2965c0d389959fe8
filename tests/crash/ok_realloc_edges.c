// expect: success
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  void *block = realloc(NULL, 10);
  CHECK(block != NULL);
  CHECK(realloc(block, opaque_size(0)) == NULL);  // frees it
  block = malloc(10);
  CHECK(realloc(block, opaque_size(SIZE_MAX)) == NULL);  // leaves it alone
  free(opaque(block));
  return 0;
}
