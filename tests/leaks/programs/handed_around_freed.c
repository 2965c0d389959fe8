// clean
// SPDX-License-Identifier: MIT
//
// A million blocks, at most a thousand at a time, all given back.
#include "plant.h"

static void work(void)
{
  static void *blocks[1000];
  unsigned state = 1;
  for (int i = 0; i < 200000; i++) {
    state = state * 1664525 + 1013904223;
    void **place = &blocks[state >> 8 & 511];
    free(*place);
    *place = malloc(state >> 20);
  }
  for (int i = 0; i < 1000; i++) free(blocks[i]);
  memset(blocks, 0, sizeof blocks);
}

int main(void)
{
  plant(work);
  return 0;
}
