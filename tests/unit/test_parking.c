// SPDX-License-Identifier: MIT
//
// Parked threads stand still and go on afterwards; their stacks are told; one that blocks all
// signals is counted, and one that comes and goes disturbs nobody. The caller gets its signals
// afterwards, and nobody is parked where threads cannot be listed.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/parking.h"
#include "os/thread.h"
#include "os/threads.h"

enum { RUNNERS = 3, PATIENCE_MS = 20000 };

static atomic_bool is_over;
static atomic_size_t turns[RUNNERS];
static atomic_uintptr_t stacks[RUNNERS];
static atomic_uintptr_t ids[RUNNERS];

static void *run(void *which)
{
  size_t i = *(size_t *)which;
  volatile char here = 0;
  atomic_store(&stacks[i], (uintptr_t)&here);
  atomic_store(&ids[i], os_thread_id());
  while (!atomic_load(&is_over)) atomic_fetch_add(&turns[i], 1);
  return NULL;
}

static void start(pthread_t *threads, size_t *numbers)
{
  atomic_store(&is_over, false);
  for (size_t i = 0; i < RUNNERS; i++) {
    numbers[i] = i;
    atomic_store(&turns[i], 0);
    CHECK(pthread_create(&threads[i], NULL, run, &numbers[i]) == 0);
    while (atomic_load(&turns[i]) == 0) sched_yield();
  }
}

static void stop(pthread_t *threads)
{
  atomic_store(&is_over, true);
  for (size_t i = 0; i < RUNNERS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

// How many could not be parked.
static size_t park(void)
{
  size_t unparked = 4711;
  CHECK(os_parking_begin(PATIENCE_MS, &unparked));
  return unparked;
}

static const struct os_parked *parked_of(size_t i)
{
  const struct os_parked *parked = os_parking_threads();
  while (parked != NULL && parked->thread != atomic_load(&ids[i])) parked = parked->next;
  return parked;
}

static void threads_stand_still_and_go_on(void **state)
{
  (void)state;
  pthread_t threads[RUNNERS];
  size_t numbers[RUNNERS];
  start(threads, numbers);
  for (int round = 0; round < 10; round++) {
    size_t before[RUNNERS];
    assert_int_equal(park(), 0);
    for (size_t i = 0; i < RUNNERS; i++) {
      const struct os_parked *parked = parked_of(i);
      CHECK(parked != NULL);
      CHECK(parked->handler_end != 0 || parked->stack < atomic_load(&stacks[i]));
      before[i] = atomic_load(&turns[i]);
    }
    usleep(2000);
    for (size_t i = 0; i < RUNNERS; i++) CHECK(atomic_load(&turns[i]) == before[i]);
    os_parking_end();
    CHECK(os_parking_threads() == NULL);
    for (size_t i = 0; i < RUNNERS; i++) {
      while (atomic_load(&turns[i]) == before[i]) sched_yield();
    }
  }
  stop(threads);
}

static void *wait_deaf(void *unused)
{
  (void)unused;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  atomic_store(&turns[0], 1);
  while (!atomic_load(&is_over)) usleep(1000);
  return NULL;
}

static void a_thread_that_blocks_signals_is_counted(void **state)
{
  (void)state;
  pthread_t thread;
  atomic_store(&is_over, false);
  atomic_store(&turns[0], 0);
  assert_int_equal(pthread_create(&thread, NULL, wait_deaf, NULL), 0);
  while (atomic_load(&turns[0]) == 0) sched_yield();
  assert_int_equal(park(), 1);
  os_parking_end();
  atomic_store(&is_over, true);
  pthread_join(thread, NULL);
}

static atomic_int waited_for;

static void *await_any_signal(void *unused)
{
  (void)unused;
  int number = 0;
  sigset_t all;
  sigfillset(&all);
  atomic_store(&turns[0], os_thread_number());
  CHECK(sigwait(&all, &number) == 0);
  atomic_store(&waited_for, number);
  return NULL;
}

// It is for the program's signals: that of parking would be one too many.
static void a_thread_that_waits_for_signals_gets_none(void **state)
{
  (void)state;
  pthread_t thread;
  sigset_t all, before;
  if (access("/proc/self/syscall", R_OK) != 0) skip();  // a kernel that does not tell
  sigfillset(&all);
  atomic_store(&turns[0], 0);
  atomic_store(&waited_for, 0);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
  assert_int_equal(pthread_create(&thread, NULL, await_any_signal, NULL), 0);
  while (atomic_load(&turns[0]) == 0) sched_yield();
  uint32_t number = (uint32_t)atomic_load(&turns[0]);
  struct os_thread_state look;  // until it waits
  do {
    assert_true(os_threads_look(number, &look));
  } while ((look.blocked >> (SIGUSR1 - 1) & 1) != 0);
  size_t unparked = 4711;
  CHECK(os_parking_begin(1, &unparked));
  os_parking_end();
  CHECK(atomic_load(&waited_for) == 0);
  CHECK(pthread_kill(thread, SIGUSR1) == 0);
  pthread_join(thread, NULL);
  assert_int_equal(unparked, 1);
  assert_int_equal(atomic_load(&waited_for), SIGUSR1);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static int handled_signal(void)
{
  struct sigaction action;
  for (int number = 1; number <= SIGRTMAX; number++) {
    if (sigaction(number, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) != 0) return number;
  }
  return 0;
}

// How a program ends that gets the signal without a handler, as after execve.
static int status_after_signal(int number)
{
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    signal(number, SIG_DFL);
    CHECK(raise(number) == 0);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

static void the_signal_ends_no_program(void **state)
{
  (void)state;
  assert_int_equal(park(), 0);
  os_parking_end();
  int first = handled_signal();
  assert_int_equal(first, SIGURG);
  assert_int_equal(status_after_signal(first), 0);
  signal(first, SIG_IGN);  // the program wants it for itself
  assert_int_equal(park(), 0);
  os_parking_end();
  int second = handled_signal();
  assert_int_equal(second, SIGWINCH);
  assert_int_equal(status_after_signal(second), 0);
  signal(second, SIG_IGN);
  assert_int_equal(park(), 0);
  os_parking_end();
  assert_true(handled_signal() > SIGRTMIN);
  signal(first, SIG_DFL);
  signal(second, SIG_DFL);
}

static void *end_soon(void *unused)
{
  (void)unused;
  return NULL;
}

static void *start_many(void *unused)
{
  (void)unused;
  while (!atomic_load(&is_over)) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, end_soon, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
  return NULL;
}

static void threads_that_come_and_go_do_no_harm(void **state)
{
  (void)state;
  pthread_t thread;
  atomic_store(&is_over, false);
  assert_int_equal(pthread_create(&thread, NULL, start_many, NULL), 0);
  for (int i = 0; i < 50; i++) {
    (void)park();
    os_parking_end();
  }
  atomic_store(&is_over, true);
  pthread_join(thread, NULL);
  assert_int_equal(park(), 0);
  assert_null(os_parking_threads());
  os_parking_end();
  os_parking_end();
}

static void *wait_on_own_stack(void *unused)
{
  static char stack[64 << 10];
  (void)unused;
  stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK(sigaltstack(&own, NULL) == 0);
  atomic_store(&ids[0], os_thread_id());
  while (!atomic_load(&is_over)) usleep(1000);
  own.ss_flags = SS_DISABLE;
  CHECK(sigaltstack(&own, NULL) == 0);
  return NULL;
}

static void a_handler_on_a_stack_of_its_own_has_its_registers_there(void **state)
{
  (void)state;
  pthread_t thread;
  atomic_store(&is_over, false);
  atomic_store(&ids[0], 0);
  assert_int_equal(pthread_create(&thread, NULL, wait_on_own_stack, NULL), 0);
  while (atomic_load(&ids[0]) == 0) sched_yield();
  assert_int_equal(park(), 0);
  const struct os_parked *parked = parked_of(0);
  bool is_told = parked != NULL && parked->handler_end > parked->handler &&
                 (parked->stack < parked->handler || parked->stack > parked->handler_end);
  os_parking_end();
  assert_true(is_told);
  atomic_store(&is_over, true);
  pthread_join(thread, NULL);
}

static void wait_in_handler(int number)
{
  (void)number;
  CHECK(os_threads_is_on_signal_stack());
  atomic_store(&ids[0], os_thread_id());
  while (!atomic_load(&is_over)) usleep(1000);
}

static void *wait_on_signal_stack(void *unused)
{
  static char stack[64 << 10];
  (void)unused;
  stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK(!os_threads_is_on_signal_stack());
  CHECK(sigaltstack(&own, NULL) == 0);
  CHECK(pthread_kill(pthread_self(), SIGUSR2) == 0);
  own.ss_flags = SS_DISABLE;
  CHECK(sigaltstack(&own, NULL) == 0);
  return NULL;
}

// What called the handler that is interrupted may be anywhere.
static void of_a_thread_on_its_signal_stack_no_pointer_is_known(void **state)
{
  (void)state;
  pthread_t thread;
  struct sigaction action = {.sa_handler = wait_in_handler, .sa_flags = SA_ONSTACK};
  assert_int_equal(sigaction(SIGUSR2, &action, NULL), 0);
  atomic_store(&is_over, false);
  atomic_store(&ids[0], 0);
  assert_int_equal(pthread_create(&thread, NULL, wait_on_signal_stack, NULL), 0);
  while (atomic_load(&ids[0]) == 0) sched_yield();
  assert_int_equal(park(), 0);
  const struct os_parked *parked = parked_of(0);
  bool is_told = parked != NULL && parked->stack == 0 && parked->handler_end > parked->handler;
  os_parking_end();
  assert_true(is_told);
  atomic_store(&is_over, true);
  pthread_join(thread, NULL);
}

static atomic_int handled;

static void on_signal(int number)
{
  (void)number;
  atomic_fetch_add(&handled, 1);
}

// What its handler does may need a lock that a parked thread holds.
static void the_caller_gets_its_signals_afterwards(void **state)
{
  (void)state;
  pthread_t threads[RUNNERS];
  size_t numbers[RUNNERS];
  sigset_t before, after;
  struct sigaction action = {.sa_handler = on_signal};
  assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
  start(threads, numbers);
  sigemptyset(&before);
  sigaddset(&before, SIGUSR2);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
  assert_int_equal(park(), 0);
  CHECK(raise(SIGUSR1) == 0);
  int too_early = atomic_load(&handled);
  os_parking_end();
  assert_int_equal(too_early, 0);
  assert_int_equal(atomic_load(&handled), 1);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
  for (int number = 1; number <= 31; number++) {
    assert_int_equal(sigismember(&after, number), number == SIGUSR2);
  }
  os_parking_end();
  assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &before, NULL), 0);
  stop(threads);
}

static void without_a_list_nobody_is_parked(void **state)
{
  (void)state;
  struct rlimit limit;
  size_t unparked = 4711;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  atomic_store(&handled, 0);
  bool is_begun = os_parking_begin(PATIENCE_MS, &unparked);
  int error = errno;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_false(is_begun);
  assert_int_equal(error, EMFILE);
  assert_int_equal(unparked, 4711);
  assert_null(os_parking_threads());
  CHECK(raise(SIGUSR1) == 0);
  assert_int_equal(atomic_load(&handled), 1);
}

int main(void)
{
  if (test_is_instrumented()) {
    return test_cannot_run("a checker or emulator has threads of its own, and holds signals back");
  }
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_stand_still_and_go_on),
      cmocka_unit_test(a_thread_that_blocks_signals_is_counted),
      cmocka_unit_test(a_thread_that_waits_for_signals_gets_none),
      cmocka_unit_test(the_signal_ends_no_program),
      cmocka_unit_test(threads_that_come_and_go_do_no_harm),
      cmocka_unit_test(a_handler_on_a_stack_of_its_own_has_its_registers_there),
      cmocka_unit_test(of_a_thread_on_its_signal_stack_no_pointer_is_known),
      cmocka_unit_test(the_caller_gets_its_signals_afterwards),
      cmocka_unit_test(without_a_list_nobody_is_parked),
  };
  return SUITE_RUN(tests);
}
