// expect: abort "double free"
// SPDX-License-Identifier: MIT
//
// Another block was freed in between.
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  char *block = malloc(6000);
  char *other = malloc(6000);
  char *neighbour = malloc(6000);  // keeps the page in use
  CHECK(block != NULL && other != NULL && neighbour != NULL);
  char *again = opaque(block);
  free(block);
  free(other);
  free(again);
  return neighbour == NULL;
}
