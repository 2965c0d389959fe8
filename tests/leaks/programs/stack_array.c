// clean
// SPDX-License-Identifier: MIT
//
// Many blocks whose addresses are in an array of main's, which calls exit through others.
#include "plant.h"

static void leave(int depth)
{
  if (depth > 0) leave(depth - 1);
  exit(0);
}

int main(void)
{
  void *volatile kept[500];
  for (size_t i = 0; i < 500; i++) kept[i] = malloc(i + 1);
  leave(10);
  return kept[0] == NULL;
}
