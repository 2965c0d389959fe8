// leaks: cycle 2 blocks 32 bytes; indirect 3 blocks 48 bytes
// SPDX-License-Identifier: MIT
//
// The first cycle leads to the second, but not the second to the first.
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
}

int main(void)
{
  plant(lose);
  return 0;
}
