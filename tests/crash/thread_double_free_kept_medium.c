// expect: abort "double free"
// SPDX-License-Identifier: MIT
//
// The thread that has freed the block first keeps it for itself, which others do not see: the
// second free is told when it gives the block back.
#include <stdlib.h>

#include "../support/support.h"
#include "mend/mend.h"

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
  mend_malloc_trim(0);
  return neighbour == NULL;
}
