// expect: abort "free of memory that is not in use"
// SPDX-License-Identifier: MIT
//
// Another thread frees what its owner has freed before. The thread is started first: what starting
// it allocates must not come to lie where the block was.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../support/support.h"

static _Atomic(char *) freed;

static void *misuse(void *argument)
{
  while (atomic_load(&freed) == NULL) sched_yield();
  free(atomic_load(&freed));
  return argument;
}

int main(void)
{
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, misuse, NULL) == 0);
  char *block = malloc(300 * KIB);
  CHECK(block != NULL);
  char *again = opaque(block);
  free(block);
  atomic_store(&freed, again);
  return pthread_join(thread, NULL);
}
