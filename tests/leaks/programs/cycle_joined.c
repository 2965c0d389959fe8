// leaks: cycle 5 blocks 80 bytes
// SPDX-License-Identifier: MIT
//
// Two rings with a link each way between them are one cycle.
#include "plant.h"

static struct node *ring(int count)
{
  struct node *first = plant_node();
  struct node *last = first;
  for (int i = 1; i < count; i++) {
    last->next = plant_node();
    last = last->next;
  }
  last->next = first;
  return first;
}

static void lose(void)
{
  struct node *first = ring(2);
  first->other = ring(3);
  first->other->other = first;
}

int main(void)
{
  plant(lose);
  return 0;
}
