// clean
// SPDX-License-Identifier: MIT
//
// Only main's frame, which is live at exit, has the address.
#include <stdio.h>

#include "plant.h"

__attribute__((noinline)) static void leave(void *volatile *kept)
{
  exit(*kept == NULL);
}

int main(void)
{
  void *volatile kept = malloc(300);
  leave(&kept);
  return 1;
}
