// expect: abort "double free"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(40000);
  char *neighbour = malloc(40000);  // keeps the page in use
  CHECK(block != NULL && neighbour != NULL);
  char *again = opaque(block);
  free(block);
  free(again);
  return neighbour == NULL;
}
