// expect: success
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

static void *take(void *argument)
{
  CHECK(argument != NULL);
  free(argument);
  return NULL;
}

int main(void)
{
  for (size_t size = 1; size <= 64 * MIB; size *= 3) threads_run(1, take, malloc(size), 0);
  return 0;
}
