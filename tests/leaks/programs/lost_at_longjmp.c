// leaks: direct 1 block 72 bytes
// SPDX-License-Identifier: MIT
#include <setjmp.h>

#include "plant.h"

static jmp_buf back;

static void work(void)
{
  char *block = malloc(72);
  plant_use(block);
  longjmp(back, 1);
}

static void lose(void)
{
  if (setjmp(back) == 0) work();
}

int main(void)
{
  plant(lose);
  memset(back, 0, sizeof back);
  return 0;
}
