// expect: abort "too many references to a counted object"
// SPDX-License-Identifier: MIT
#include "mend/smart.h"

int main(void)
{
  int *object = mend_rc_make(int, NULL);
  mend_rc_head_of(object)->counts += MEND_RC_MOST - 1;  // as if it had been retained that often
  mend_rc_retain(object);
  return 0;
}
