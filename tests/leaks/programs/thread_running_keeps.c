// clean
// SPDX-License-Identifier: MIT
//
// A thread that never stops allocating, hands blocks around and frees them, until the process ends.
// memcheck: not judged: it runs one thread at a time, and the process ends in the midst of a call
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "plant.h"

static sem_t begun;

static void *work(void *argument)
{
  struct node *list = NULL;
  for (unsigned i = 0;; i++) {
    struct node *node = plant_node();
    node->next = list;
    list = node;
    if (i % 100 == 0) {
      while (list != NULL) {
        struct node *next = list->next;
        free(list);
        list = next;
      }
      if (i == 1000) sem_post(&begun);
    }
  }
  return argument;
}

int main(void)
{
  pthread_t thread;
  sem_init(&begun, 0, 0);
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  sem_wait(&begun);
  return usleep(20000);
}
