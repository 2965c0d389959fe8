// SPDX-License-Identifier: MIT
#include "os/signal.h"

#include <errno.h>
#include <signal.h>

#include "base/sealed.h"

static struct {
  void (*function)(void);
} SEALED_PAGES watched SEALED;

static void handle_signal(int number)
{
  (void)number;
  int saved_errno = errno;
  watched.function();
  errno = saved_errno;
}

INTERNAL bool os_signal_watch(int number, void (*function)(void))
{
  int saved_errno = errno;
  struct sigaction before;
  struct sigaction action = {.sa_handler = handle_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  watched.function = function;
  bool is_watched = sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_DFL &&
                    sigaction(number, &action, NULL) == 0;
  errno = saved_errno;
  return is_watched;
}
