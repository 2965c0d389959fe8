// leaks: direct 99 blocks 2376 bytes
// SPDX-License-Identifier: MIT
//
// A hundred of one stack, of which the last is still known.
#include "plant.h"

static void *last;

static void lose(void)
{
  for (int i = 0; i < 100; i++) last = malloc(24);
}

int main(void)
{
  plant(lose);
  return last == NULL;
}
