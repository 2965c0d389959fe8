// clean
// SPDX-License-Identifier: MIT
#include "plant.h"

static struct node *kept;

static void keep(void)
{
  kept = plant_node();
  kept->next = plant_node();
  kept->next->next = kept;
}

int main(void)
{
  plant(keep);
  return kept == NULL;
}
