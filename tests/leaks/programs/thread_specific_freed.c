// clean
// SPDX-License-Identifier: MIT
//
// The key's destructor frees it when the thread ends.
#include <pthread.h>

#include "plant.h"

static pthread_key_t key;

static void keep(void)
{
  pthread_setspecific(key, malloc(100));
}

static void *work(void *argument)
{
  plant(keep);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_key_create(&key, free) != 0) abort();
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return pthread_join(thread, NULL);
}
