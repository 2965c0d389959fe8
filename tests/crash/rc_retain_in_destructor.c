// expect: abort "use of a counted object that has ended"
// SPDX-License-Identifier: MIT
#include "mend/smart.h"

static int *kept;

static void keep(int *object)
{
  kept = mend_rc_retain(object);
}

int main(void)
{
  int *object = mend_rc_make(int, keep);
  mend_rc_release(object);
  return kept == object;
}
