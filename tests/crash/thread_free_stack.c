// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
//
// In a thread that has not allocated anything.
#include <stdlib.h>

#include "../support/support.h"

static void *misuse(void *argument)
{
  (void)argument;
  _Alignas(16) char local[64];
  free(opaque(local));
  return NULL;
}

int main(void)
{
  threads_run(1, misuse, NULL, 0);
  return 0;
}
