// expect: tsan "data race"
// SPDX-License-Identifier: MIT
//
// Two threads write one block.
#include "../support/support.h"
#include "mend/mend.h"

static void *write_often(void *argument)
{
  volatile int *block = argument;
  for (int i = 0; i < 1000; i++) *block = i;
  return NULL;
}

int main(void)
{
  int *block = mend_zalloc(sizeof *block);
  CHECK(block != NULL);
  threads_run(2, write_often, block, 0);
  mend_free(block);
  return 0;
}
