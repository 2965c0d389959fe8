// leaks: direct 1 block 16 bytes; indirect 2 blocks 32 bytes
// SPDX-License-Identifier: MIT
//
// A cycle that a lost block leads to: who frees that one has the rest in hand.
#include "plant.h"

static void lose(void)
{
  struct node *head = plant_node();
  head->next = plant_node();
  head->next->next = plant_node();
  head->next->next->next = head->next;
}

int main(void)
{
  plant(lose);
  return 0;
}
