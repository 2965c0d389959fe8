// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// By a thread that is still there at exit.
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "plant.h"

static sem_t done;

static void lose(void)
{
  plant_use(malloc(100));
}

static void *work(void *argument)
{
  plant(lose);
  sem_post(&done);
  for (;;) pause();
  return argument;
}

int main(void)
{
  pthread_t thread;
  sem_init(&done, 0, 0);
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return sem_wait(&done);
}
