// SPDX-License-Identifier: MIT
#include "os/exit.h"

#include <stdlib.h>

#include "base/sealed.h"

// The C library's own interface, of which atexit is a part: no module's end calls the handler.
extern int __cxa_atexit(void (*function)(void *), void *argument, void *module);

static struct {
  void (*function)(void);
} SEALED_PAGES at_exit SEALED;
static int turns_left = 2;

static void take_turn(void *unused)
{
  (void)unused;
  if (--turns_left == 0 && at_exit.function != NULL) at_exit.function();
}

__attribute__((destructor(101))) static void take_turn_as_destructor(void)
{
  take_turn(NULL);
}

INTERNAL void os_at_exit(void (*function)(void))
{
  at_exit.function = function;
  (void)at_quick_exit(function);
  if (__cxa_atexit(take_turn, NULL, NULL) != 0) turns_left--;
}
