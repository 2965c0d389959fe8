// clean
// SPDX-License-Identifier: MIT
//
// The C library knows all its open streams.
#include <stdio.h>

#include "plant.h"

static void keep(void)
{
  FILE *file = fopen("/dev/null", "w");
  fputs("some bytes that make a buffer", file);
}

int main(void)
{
  plant(keep);
  return 0;
}
