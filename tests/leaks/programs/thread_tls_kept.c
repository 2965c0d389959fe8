// clean
// SPDX-License-Identifier: MIT
//
// Thread-local variables of main and of a thread that is still there.
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "plant.h"

static sem_t done;
static __thread void *zeroed;
static __thread void *initialised = &done;

static void keep(void)
{
  zeroed = malloc(100);
  initialised = malloc(200);
}

static void *work(void *argument)
{
  plant(keep);
  sem_post(&done);
  for (;;) pause();
  return argument;
}

int main(void)
{
  pthread_t thread;
  plant(keep);
  sem_init(&done, 0, 0);
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return sem_wait(&done);
}
