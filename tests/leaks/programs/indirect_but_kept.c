// leaks: direct 1 block 16 bytes
// SPDX-License-Identifier: MIT
//
// What a lost block holds is no leak if a variable holds it, too.
#include "plant.h"

static struct node *kept;

static void lose(void)
{
  struct node *lost = plant_node();
  kept = plant_node();
  lost->next = kept;
}

int main(void)
{
  plant(lose);
  return kept == NULL;
}
