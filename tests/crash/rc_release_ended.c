// expect: abort "use of a counted object that has ended"
// SPDX-License-Identifier: MIT
#include "mend/smart.h"

int main(void)
{
  int *object = mend_rc_make(int, NULL);
  MEND_WEAK(int) weak = mend_rc_weak(object);
  mend_rc_release(object);
  mend_rc_release(object);
  mend_rc_weak_release(weak);
  return 0;
}
