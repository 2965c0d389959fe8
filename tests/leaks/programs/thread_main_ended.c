// leaks: direct 2 blocks 6000 bytes
// SPDX-License-Identifier: MIT
//
// main ends by pthread_exit; the process when the last thread has ended. (The first block of a page
// has the page's address, which a stack that nobody uses any more may have, too.)
#include <pthread.h>
#include <unistd.h>

#include "plant.h"

static void *kept;

static void lose(void)
{
  kept = malloc(3000);
  plant_use(malloc(3000));
  plant_use(malloc(3000));
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
