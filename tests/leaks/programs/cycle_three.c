// leaks: cycle 3 blocks 48 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  struct node *nodes[3];
  for (int i = 0; i < 3; i++) nodes[i] = plant_node();
  for (int i = 0; i < 3; i++) nodes[i]->next = nodes[(i + 1) % 3];
}

int main(void)
{
  plant(lose);
  return 0;
}
