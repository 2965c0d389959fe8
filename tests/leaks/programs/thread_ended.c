// leaks: direct 3 blocks 300 bytes
// SPDX-License-Identifier: MIT
//
// Lost by a thread that has a name and has ended.
#include <pthread.h>

#include "plant.h"

static void lose(void)
{
  for (int i = 0; i < 3; i++) plant_use(malloc(100));
}

static void *work(void *argument)
{
  pthread_setname_np(pthread_self(), "loser");
  plant(lose);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return pthread_join(thread, NULL);
}
