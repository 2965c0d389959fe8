// leaks: direct 2 blocks 32 bytes; indirect 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// Two that nothing reaches hold the same block.
#include "plant.h"

static void lose(void)
{
  struct node *left = plant_node();
  struct node *right = plant_node();
  left->next = right->next = malloc(100);
}

int main(void)
{
  plant(lose);
  return 0;
}
