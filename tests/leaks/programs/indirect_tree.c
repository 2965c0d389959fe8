// leaks: direct 1 block 16 bytes; indirect 126 blocks 2016 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static struct node *tree(int depth)
{
  if (depth == 0) return NULL;
  struct node *node = plant_node();
  node->next = tree(depth - 1);
  node->other = tree(depth - 1);
  return node;
}

static void lose(void)
{
  plant_use(tree(7));
}

int main(void)
{
  plant(lose);
  return 0;
}
