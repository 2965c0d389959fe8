// no report
// SPDX-License-Identifier: MIT
//
// _exit ends a process without any more of it being run.
// memcheck: not judged: it looks at every end
#include <unistd.h>

#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  plant(lose);
  _exit(0);
}
