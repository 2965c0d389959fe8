// clean
// SPDX-License-Identifier: MIT
// child: clean
//
// Of a process with threads: in the child they are gone, but what they held is the parent's state,
// which a leak's verdict must not rest on; the block is in a variable, too.
// memcheck: child not judged: it says of the stacks of threads that are not in the child that they
// are no memory
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plant.h"

static sem_t done;
static void *kept;

static void *work(void *argument)
{
  kept = malloc(100);
  sem_post(&done);
  for (;;) pause();
  return argument;
}

int main(void)
{
  int status = 0;
  pthread_t thread;
  sem_init(&done, 0, 0);
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  sem_wait(&done);
  pid_t child = fork();
  if (child != 0) waitpid(child, &status, 0);
  return status;
}
