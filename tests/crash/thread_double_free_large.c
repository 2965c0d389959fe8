// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
//
// Another thread frees what its owner has freed before.
#include <stdlib.h>

#include "../support/support.h"

static void *misuse(void *argument)
{
  free(argument);
  return NULL;
}

int main(void)
{
  char *block = malloc(300 * KIB);
  CHECK(block != NULL);
  char *again = opaque(block);
  free(block);
  threads_run(1, misuse, again, 0);
  return 0;
}
