// no report
// SPDX-License-Identifier: MIT
// status: -15
// memcheck: not judged: it looks at every end
#include <signal.h>

#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  plant(lose);
  return raise(SIGTERM);
}
