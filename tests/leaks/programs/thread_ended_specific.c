// leaks: direct 1 block 100 bytes
// SPDX-License-Identifier: MIT
//
// So is what pthread_setspecific has, where the key has no destructor.
#include <pthread.h>

#include "plant.h"

static pthread_key_t key;

static void lose(void)
{
  pthread_setspecific(key, malloc(100));
}

static void *work(void *argument)
{
  plant(lose);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_key_create(&key, NULL) != 0) abort();
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return pthread_join(thread, NULL);
}
