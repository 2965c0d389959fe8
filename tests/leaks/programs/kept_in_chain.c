// clean
// SPDX-License-Identifier: MIT
//
// A list of 100000 from a variable: no recursion can follow it.
#include "plant.h"

static struct node *list;

static void keep(void)
{
  for (int i = 0; i < 100000; i++) {
    struct node *head = plant_node();
    head->next = list;
    list = head;
  }
}

int main(void)
{
  plant(keep);
  return list == NULL;
}
