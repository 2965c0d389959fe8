// leaks: direct 1 block any bytes
// SPDX-License-Identifier: MIT
//
// A counted object whose last reference is forgotten.
// link: mend
// memcheck: not judged: it knows no counted objects
#include "mend/smart.h"
#include "plant.h"

static void lose(void)
{
  plant_use(mend_rc_new(100, NULL));
}

int main(void)
{
  plant(lose);
  return 0;
}
