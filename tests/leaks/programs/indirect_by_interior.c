// leaks: direct 1 block 16 bytes; indirect 1 block 400 bytes
// SPDX-License-Identifier: MIT
//
// The lost block has an address from the middle of another.
#include "plant.h"

static void lose(void)
{
  struct node *lost = plant_node();
  lost->next = (struct node *)((char *)malloc(400) + 200);
}

int main(void)
{
  plant(lose);
  return 0;
}
