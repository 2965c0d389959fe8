// clean
// SPDX-License-Identifier: MIT
//
// The same on a stack that is a block.
#include <ucontext.h>

#include "plant.h"

static ucontext_t outside, inside;

static void work(void)
{
  void *volatile block = malloc(100);
  plant_use(block);
  swapcontext(&inside, &outside);
}

int main(void)
{
  getcontext(&inside);
  inside.uc_stack.ss_size = 1 << 18;
  inside.uc_stack.ss_sp = calloc(1, 1 << 18);
  inside.uc_link = &outside;
  makecontext(&inside, work, 0);
  return swapcontext(&outside, &inside);
}
