// module
// SPDX-License-Identifier: MIT
//
// What the programs module_*.c open and close.
#include "plant.h"

static struct node *kept;
static void *until_closed;
static __thread void *local[1000];

static void keep(void)
{
  kept = calloc(1, 40);
  kept->next = plant_node();
}

void module_keep(void)
{
  plant(keep);
}

static void keep_local(void)
{
  local[999] = malloc(40);
}

void module_keep_local(void)
{
  plant(keep_local);
}

static void keep_until_closed(void)
{
  until_closed = malloc(40);
}

void module_keep_until_closed(void)
{
  plant(keep_until_closed);
}

__attribute__((destructor)) static void end(void)
{
  free(until_closed);
}
