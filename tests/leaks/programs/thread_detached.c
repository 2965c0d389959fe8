// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <semaphore.h>

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
  return argument;
}

int main(void)
{
  pthread_t thread;
  pthread_attr_t detached;
  sem_init(&done, 0, 0);
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  if (pthread_create(&thread, &detached, work, NULL) != 0) abort();
  return sem_wait(&done);
}
