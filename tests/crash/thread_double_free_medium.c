// expect: abort "double free"
// SPDX-License-Identifier: MIT
//
// Another thread has freed the block before.
#include <stdlib.h>

#include "../support/support.h"

static void *misuse(void *argument)
{
  free(argument);
  return NULL;
}

int main(void)
{
  char *block = malloc(6000);
  char *neighbour = malloc(6000);  // keeps the page in use
  CHECK(block != NULL && neighbour != NULL);
  threads_run(1, misuse, block, 0);
  free(opaque(block));
  return neighbour == NULL;
}
