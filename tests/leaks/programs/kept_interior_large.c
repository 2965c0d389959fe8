// clean
// SPDX-License-Identifier: MIT
//
// memcheck: possible 1 block 5000000 bytes: it calls what is held by an address of its middle
// possibly lost
#include "plant.h"

static char *kept;

static void keep(void)
{
  kept = malloc(5000000);
  kept += 4999999;
}

int main(void)
{
  plant(keep);
  return kept == NULL;
}
