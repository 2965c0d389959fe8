// clean
// SPDX-License-Identifier: MIT
//
// A coroutine that has not ended has the only address on a stack of its own, which is mapped.
#include <sys/mman.h>
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
  inside.uc_stack.ss_size = 1 << 20;
  inside.uc_stack.ss_sp =
      mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  inside.uc_link = &outside;
  makecontext(&inside, work, 0);
  return swapcontext(&outside, &inside);
}
