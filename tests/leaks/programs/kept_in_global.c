// clean
// SPDX-License-Identifier: MIT
#include "plant.h"

static void *kept_zeroed;
static void *kept_initialised = &kept_zeroed;

static void keep(void)
{
  kept_zeroed = malloc(100);
  kept_initialised = malloc(200);
}

int main(void)
{
  plant(keep);
  return kept_zeroed == kept_initialised;
}
