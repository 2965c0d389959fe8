// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// The stack of a thread that has ended holds nothing, though the C library keeps it for the next.
#include <pthread.h>

#include "plant.h"

static void *work(void *argument)
{
  void *volatile block = malloc(100);
  plant_use(block);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return pthread_join(thread, NULL);
}
