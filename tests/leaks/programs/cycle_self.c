// leaks: cycle 1 block 16 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  struct node *node = plant_node();
  node->next = node;
}

int main(void)
{
  plant(lose);
  return 0;
}
