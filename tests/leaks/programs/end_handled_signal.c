// leaks: direct 1 block 24 bytes
// SPDX-License-Identifier: MIT
//
// A handler that asks for an end which main then makes.
#include <signal.h>

#include "plant.h"

static volatile sig_atomic_t is_asked;

static void ask(int number)
{
  is_asked = number;
}

static void lose(void)
{
  plant_use(malloc(24));
}

int main(void)
{
  plant(lose);
  signal(SIGTERM, ask);
  raise(SIGTERM);
  return is_asked != SIGTERM;
}
