// no report
// SPDX-License-Identifier: MIT
// status: -9
// memcheck: not judged: it looks at every end but this
#include <signal.h>

#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  plant(lose);
  return raise(SIGKILL);
}
