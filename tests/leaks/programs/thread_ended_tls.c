// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// A thread-local variable is gone with its thread.
#include <pthread.h>

#include "plant.h"

static __thread void *block;

static void *work(void *argument)
{
  block = malloc(100);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return pthread_join(thread, NULL);
}
