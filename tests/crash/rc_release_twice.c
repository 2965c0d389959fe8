// expect: abort "use of what is no counted object, or no longer one"
// level 1: abort "use of a counted object that has ended"
// SPDX-License-Identifier: MIT
#include "mend/smart.h"

int main(void)
{
  void *volatile keeps_the_page = mend_rc_new(100, NULL);
  void *volatile object = mend_rc_new(100, NULL);
  mend_rc_release(object);
  mend_rc_release(object);
  return keeps_the_page == NULL;
}
