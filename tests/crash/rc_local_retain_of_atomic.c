// expect: abort "use of a counted object as one of the other kind"
// SPDX-License-Identifier: MIT
#include "mend/smart.h"

int main(void)
{
  int *object = mend_rc_make(int, NULL);
  return mend_rc_local_retain(object) != object;
}
