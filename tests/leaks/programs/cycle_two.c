// leaks: cycle 2 blocks 32 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  struct node *left = plant_node();
  struct node *right = plant_node();
  left->next = right;
  right->next = left;
}

int main(void)
{
  plant(lose);
  return 0;
}
