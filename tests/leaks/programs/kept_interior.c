// clean
// SPDX-License-Identifier: MIT
//
// The address of a block's middle reaches it.
// memcheck: possible 1 block 1000 bytes: it calls what is held by an address of its middle possibly
// lost
#include "plant.h"

static char *kept;

static void keep(void)
{
  kept = malloc(1000);
  kept += 500;
}

int main(void)
{
  plant(keep);
  return kept == NULL;
}
