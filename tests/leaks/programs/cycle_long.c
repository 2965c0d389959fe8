// leaks: cycle 100000 blocks 1600000 bytes
// SPDX-License-Identifier: MIT
//
// So long that who follows it by recursion runs out of stack.
#include "plant.h"

static void lose(void)
{
  struct node *first = plant_node();
  struct node *last = first;
  for (int i = 1; i < 100000; i++) {
    last->next = plant_node();
    last = last->next;
  }
  last->next = first;
}

int main(void)
{
  plant(lose);
  return 0;
}
