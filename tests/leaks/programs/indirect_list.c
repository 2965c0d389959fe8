// leaks: direct 1 block 16 bytes; indirect 9 blocks 144 bytes
// SPDX-License-Identifier: MIT
#include "plant.h"

static void lose(void)
{
  struct node *list = NULL;
  for (int i = 0; i < 10; i++) {
    struct node *head = plant_node();
    head->next = list;
    list = head;
  }
}

int main(void)
{
  plant(lose);
  return 0;
}
