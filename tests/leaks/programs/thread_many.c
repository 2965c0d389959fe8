// leaks: direct 80 blocks 2560 bytes
// SPDX-License-Identifier: MIT
//
// Eight threads at a time, ten blocks each, one stack.
#include <pthread.h>

#include "plant.h"

static void lose(void)
{
  for (int i = 0; i < 10; i++) plant_use(malloc(32));
}

static void *work(void *argument)
{
  plant(lose);
  return argument;
}

int main(void)
{
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) {
    if (pthread_create(&threads[i], NULL, work, NULL) != 0) abort();
  }
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  return 0;
}
