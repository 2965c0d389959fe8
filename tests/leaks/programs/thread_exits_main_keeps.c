// clean
// SPDX-License-Identifier: MIT
//
// The same, where main waits with the only address on its stack.
#include <pthread.h>
#include <unistd.h>

#include "plant.h"

static void *work(void *argument)
{
  exit(argument != NULL);
}

int main(void)
{
  pthread_t thread;
  void *volatile block = malloc(100);
  plant_use(block);
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  for (;;) pause();
}
