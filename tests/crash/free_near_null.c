// expect: abort "free of a pointer that mend did not allocate"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"

int main(void)
{
  free(opaque((void *)16));  // a member of a structure at NULL
  return 0;
}
