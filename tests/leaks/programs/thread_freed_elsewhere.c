// clean
// SPDX-License-Identifier: MIT
//
// Allocated by one thread, freed by another, which has begun when the first had ended.
#include <pthread.h>

#include "plant.h"

static void *blocks[1000];

static void *take(void *argument)
{
  for (size_t i = 0; i < 1000; i++) blocks[i] = malloc(i);
  return argument;
}

static void *give(void *argument)
{
  for (size_t i = 0; i < 1000; i++) free(blocks[i]);
  memset(blocks, 0, sizeof blocks);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, take, NULL) != 0) abort();
  pthread_join(thread, NULL);
  if (pthread_create(&thread, NULL, give, NULL) != 0) abort();
  return pthread_join(thread, NULL);
}
