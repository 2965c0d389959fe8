// leaks: direct 1 block 40 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void *only;

static void lose(void)
{
  only = malloc(40);
  only = malloc(50);
}

int main(void)
{
  plant(lose);
  return only == NULL;
}
