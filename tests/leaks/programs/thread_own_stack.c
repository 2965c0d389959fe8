// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// The thread's stack is a block; it is freed, with the address of another in it.
#include <pthread.h>

#include "plant.h"

static void *work(void *argument)
{
  void *volatile block = malloc(100);
  plant_use(block);
  return argument;
}

static void lose(void)
{
  pthread_t thread;
  pthread_attr_t attributes;
  void *stack = aligned_alloc(4096, 1 << 20);
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, 1 << 20);
  if (pthread_create(&thread, &attributes, work, NULL) != 0) abort();
  pthread_join(thread, NULL);
  free(stack);
}

int main(void)
{
  plant(lose);
  return 0;
}
