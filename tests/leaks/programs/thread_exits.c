// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// exit is called by another thread than main's, which waits.
#include <pthread.h>
#include <unistd.h>

#include "plant.h"

static void lose(void)
{
  plant_use(malloc(100));
}

static void *work(void *argument)
{
  plant(lose);
  exit(argument != NULL);
}

int main(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  for (;;) pause();
}
