// clean
// SPDX-License-Identifier: MIT
//
// The program becomes another, and is that: what it had lost is gone.
// memcheck: not judged: it does not follow
#include <unistd.h>

#include "plant.h"

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  plant(lose);
  execl("/bin/true", "true", (char *)NULL);
  return 1;
}
