// no report
// SPDX-License-Identifier: MIT
// status: -6
// memcheck: not judged: it looks at every end
#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  plant(lose);
  abort();
}
