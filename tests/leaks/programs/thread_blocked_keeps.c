// clean
// SPDX-License-Identifier: MIT
//
// A thread that is still there at exit has the only address on its stack.
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "plant.h"

static sem_t done;

static void *work(void *argument)
{
  void *volatile block = malloc(100);
  plant_use(block);
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
