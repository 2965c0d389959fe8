// expect: abort "double free"
// SPDX-License-Identifier: MIT
//
// The thread that has freed the block first keeps it for itself, which others do not see, and has
// used it again: the second free is told when the new block is freed.
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
  char *again = opaque(block);
  free(block);
  threads_run(1, misuse, again, 0);
  char *reused = opaque(malloc(6000));
  CHECK(reused == again);
  free(reused);
  return neighbour == NULL;
}
