// leaks: cycle 10 blocks 160 bytes
// SPDX-License-Identifier: MIT
//
// A list that is linked both ways is a cycle without being a ring.
#include "plant.h"

static void lose(void)
{
  struct node *last = plant_node();
  for (int i = 1; i < 10; i++) {
    struct node *node = plant_node();
    last->next = node;
    node->other = last;
    last = node;
  }
}

int main(void)
{
  plant(lose);
  return 0;
}
