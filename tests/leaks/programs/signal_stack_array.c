// clean
// SPDX-License-Identifier: MIT
//
// The stack for signals is an array of main's, and a handler on it ends the program: what was
// interrupted lies below that handler's frame, and is in use all the same.
#include <signal.h>

#include "plant.h"

static void leave(int number)
{
  exit(number - SIGUSR1);
}

__attribute__((noinline)) static void hold(void)
{
  void *volatile kept[16];
  for (size_t i = 0; i < 16; i++) kept[i] = malloc(100);
  raise(SIGUSR1);
  plant_use(kept[0]);
}

int main(void)
{
  _Alignas(16) char stack[1 << 16];
  stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};
  sigaltstack(&own, NULL);
  sigaction(SIGUSR1, &action, NULL);
  hold();
  return 1;
}
