// expect: success
// SPDX-License-Identifier: MIT
#include "mend/smart.h"

static int *other;

static void end(int *object)
{
  *object = 0;
  mend_rc_release(other);
}

int main(void)
{
  MEND_AUTO_RC int *object = mend_rc_make(int, end);
  other = mend_rc_make(int, NULL);
  MEND_WEAK(int) weak = mend_rc_weak(object);
  MEND_AUTO_RC int *second = mend_rc_upgrade(weak);
  mend_rc_weak_release(weak);
  return second != object || mend_rc_count(object) != 2;
}
