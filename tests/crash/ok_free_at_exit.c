// expect: success
// SPDX-License-Identifier: MIT
//
// After main, in atexit functions and in destructors, the heap still serves.
#include <stdlib.h>

#include "../support/support.h"

static void *block;

static void release(void)
{
  free(block);
  block = malloc(2000);
}

__attribute__((destructor)) static void release_last(void)
{
  free(block);
}

int main(void)
{
  block = malloc(1000);
  CHECK(block != NULL && atexit(release) == 0);
  return 0;
}
