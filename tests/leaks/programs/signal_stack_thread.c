// clean
// SPDX-License-Identifier: MIT
//
// A thread's stack for signals is an array on its stack, and a handler on it waits while main ends.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "plant.h"

static int is_there[2];

static void wait_for_end(int number)
{
  (void)number;
  if (write(is_there[1], "x", 1) != 1) abort();
  for (;;) pause();
}

__attribute__((noinline)) static void hold(void)
{
  void *volatile kept[16];
  for (size_t i = 0; i < 16; i++) kept[i] = malloc(100);
  pthread_kill(pthread_self(), SIGUSR1);
  plant_use(kept[0]);
}

static void *work(void *argument)
{
  _Alignas(16) char stack[1 << 16];
  stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&own, NULL);
  hold();
  return argument;
}

int main(void)
{
  char byte;
  pthread_t thread;
  struct sigaction action = {.sa_handler = wait_for_end, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &action, NULL);
  if (pipe(is_there) != 0 || pthread_create(&thread, NULL, work, NULL) != 0) abort();
  return read(is_there[0], &byte, 1) != 1;
}
