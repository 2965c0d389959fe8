// clean
// SPDX-License-Identifier: MIT
//
// A thread's stack is an array of main's; it ends the program while main, which takes no signals,
// waits for it further down.
#include <pthread.h>
#include <signal.h>

#include "plant.h"

enum { BYTES = 1 << 18 };

static void *leave(void *argument)
{
  exit(argument != NULL);
}

__attribute__((noinline)) static void hold(const pthread_attr_t *attributes)
{
  pthread_t thread;
  void *volatile kept[16];
  for (size_t i = 0; i < 16; i++) kept[i] = malloc(100);
  if (pthread_create(&thread, attributes, leave, NULL) != 0) abort();
  pthread_join(thread, NULL);
  plant_use(kept[0]);
}

int main(void)
{
  _Alignas(4096) char stack[BYTES];
  pthread_attr_t attributes;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, sizeof stack);
  hold(&attributes);
  return 1;
}
