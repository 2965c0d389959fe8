// expect: tsan "data race"
// SPDX-License-Identifier: MIT
//
// Hands a block to another thread without synchronising: the flag orders nothing.
#include <pthread.h>
#include <stdatomic.h>

#include "../support/support.h"
#include "mend/mend.h"

static _Atomic(int *) handed_over;

static void *receive(void *argument)
{
  int *block = NULL;
  while (block == NULL) block = atomic_load_explicit(&handed_over, memory_order_relaxed);
  *block += 1;
  mend_free(block);
  return argument;
}

int main(void)
{
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, receive, NULL) == 0);
  int *block = mend_malloc(sizeof *block);
  CHECK(block != NULL);
  *block = 1;
  atomic_store_explicit(&handed_over, block, memory_order_relaxed);
  CHECK(pthread_join(thread, NULL) == 0);
  return 0;
}
