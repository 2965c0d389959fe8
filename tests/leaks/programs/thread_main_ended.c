// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// main ends by pthread_exit; the process when the last thread has ended.
#include <pthread.h>
#include <unistd.h>

#include "plant.h"

static void lose(void)
{
  plant_use(malloc(100));
}

static void *work(void *argument)
{
  usleep(20000);
  plant(lose);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  pthread_detach(thread);
  pthread_exit(NULL);
}
