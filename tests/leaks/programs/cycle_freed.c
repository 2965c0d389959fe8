// clean
// SPDX-License-Identifier: MIT
#include "plant.h"

static void work(void)
{
  struct node *left = plant_node();
  struct node *right = plant_node();
  left->next = right;
  right->next = left;
  free(left);
  free(right);
}

int main(void)
{
  plant(work);
  return 0;
}
