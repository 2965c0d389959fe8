// expect: abort "use of a pointer that is no secure block"
// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "../support/support.h"
#include "mend/secure.h"

int main(void)
{
  mend_secure_free(malloc(100));
  return 0;
}
