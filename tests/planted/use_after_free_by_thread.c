// expect: asan "use-after-poison", valgrind "Invalid read of size 1"
// SPDX-License-Identifier: MIT
//
// Reads a block that another thread has freed.
#include "../support/support.h"
#include "mend/mend.h"

static void *take(void *argument)
{
  mend_free(argument);
  return NULL;
}

int main(void)
{
  unsigned char *block = mend_malloc(200);
  CHECK(block != NULL);
  unsigned char *stale = opaque(block);
  threads_run(1, take, block, 0);
  volatile int byte = stale[100];
  return byte == 256;
}
