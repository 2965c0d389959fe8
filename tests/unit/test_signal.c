// SPDX-License-Identifier: MIT
//
// A signal that is watched for; each time in a process of its own.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>

#include "os/signal.h"

static volatile sig_atomic_t calls;

static void count_call(void)
{
  calls++;
  errno = EINTR;
}

static void send_signals(void)
{
  CHECK(os_signal_watch(SIGUSR2, count_call));
  errno = 4711;
  for (int i = 1; i <= 3; i++) {
    CHECK(raise(SIGUSR2) == 0);
    CHECK(calls == i && errno == 4711);
  }
}

static void a_function_is_called_for_each_signal(void **state)
{
  (void)state;
  assert_int_equal(child_run(send_signals).exit_code, 0);
}

static void refuse_signals(void)
{
  struct sigaction action;
  errno = 4711;
  CHECK(!os_signal_watch(SIGKILL, count_call) && !os_signal_watch(0, count_call));
  CHECK(!os_signal_watch(1000, count_call));
  signal(SIGUSR1, SIG_IGN);
  CHECK(!os_signal_watch(SIGUSR1, count_call) && errno == 4711);
  CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
}

static void a_signal_that_cannot_be_had_is_refused(void **state)
{
  (void)state;
  assert_int_equal(child_run(refuse_signals).exit_code, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_function_is_called_for_each_signal),
      cmocka_unit_test(a_signal_that_cannot_be_had_is_refused),
  };
  return SUITE_RUN(tests);
}
