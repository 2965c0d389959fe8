// leaks: cycle 2 blocks 32 bytes; direct 1 block 77 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  struct node *left = plant_node();
  left->next = plant_node();
  left->next->next = left;
  plant_use(malloc(77));
}

int main(void)
{
  plant(lose);
  return 0;
}
