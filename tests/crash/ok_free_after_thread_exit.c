// expect: success
// SPDX-License-Identifier: MIT
//
// The thread that allocated the block is gone.
#include <stdlib.h>

#include "../support/support.h"

static void *given;

static void *give(void *argument)
{
  given = malloc(*(size_t *)argument);
  CHECK(given != NULL);
  return NULL;
}

int main(void)
{
  for (size_t size = 1; size <= 64 * MIB; size *= 3) {
    void *argument = &size;
    threads_run(1, give, argument, 0);
    free(given);
  }
  return 0;
}
