// SPDX-License-Identifier: MIT
//
// Allocation in signal handlers. A handler that interrupts the program's own code may use mend like
// any other. One that interrupts mend itself should not: then its blocks are not to be relied on,
// but the program never hangs, which is all that the second part demands (it runs in a process of
// its own, whose heap may end in any state). To hang is to get nowhere. Slow it may become, since
// handlers lose memory, and mend_collect looks at all that there has ever been.
#define _GNU_SOURCE 1
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/workout.h"

enum { HANG_SECONDS = 60, WORK_SECONDS = 20, STEPS_A_LOOK = 1000, KEPT = 64 };

static volatile sig_atomic_t is_inside_mend;
static volatile sig_atomic_t handled_count;
static atomic_bool is_over;
static pthread_t target;

static void *send_signals(void *argument)
{
  while (!atomic_load(&is_over)) {
    CHECK(pthread_kill(target, SIGUSR1) == 0);
    usleep(50);
  }
  return argument;
}

// Blocks that handlers have left to later ones.
static void *kept[KEPT];

static void allocate_in_handler(int signal_number)
{
  (void)signal_number;
  if (is_inside_mend) return;
  int saved_errno = errno;
  unsigned number = (unsigned)handled_count;
  void **place = &kept[number % KEPT];
  if (*place != NULL) CHECK(pattern_difference(*place, 300, number % KEPT) == 300);
  mend_free(*place);
  *place = mend_malloc(300 + number % 5000);
  CHECK(*place != NULL);
  pattern_fill(*place, 300, number % KEPT);
  handled_count = handled_count + 1;
  errno = saved_errno;
}

static void allocate_anyhow(int signal_number)
{
  (void)signal_number;
  int saved_errno = errno;
  handled_count = handled_count + 1;
  for (size_t bytes = 10; bytes < 200000; bytes *= 7) mend_free(mend_malloc(bytes));
  errno = saved_errno;
}

static void start(pthread_t *sender, void (*handler)(int))
{
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  target = pthread_self();
  CHECK(pthread_create(sender, NULL, send_signals, NULL) == 0);
}

static void a_handler_may_allocate_outside_mend(void)
{
  pthread_t sender;
  struct workout workout = {.random = {1}};
  start(&sender, allocate_in_handler);
  for (size_t wanted = test_scaled(500); (size_t)handled_count < wanted;) {
    is_inside_mend = 1;
    for (int i = 0; i < 3; i++) workout_step(&workout);
    is_inside_mend = 0;
    usleep(50);  // here the signals come; TSan delivers them nowhere else
  }
  atomic_store(&is_over, true);
  CHECK(pthread_join(sender, NULL) == 0);
  workout_end(&workout);
  for (size_t i = 0; i < KEPT; i++) mend_free(kept[i]);
  printf("%d handlers have allocated\n", (int)handled_count);
}

static _Noreturn void allocate_under_signals(void)
{
  pthread_t sender;
  atomic_store(&is_over, false);
  handled_count = 0;
  alarm(HANG_SECONDS);
  start(&sender, allocate_anyhow);
  size_t steps = test_scaled(1500000);
  time_t end = time(NULL) + WORK_SECONDS;
  for (size_t i = 0; i < steps; i++) {
    if (i % STEPS_A_LOOK == 0) {
      if (time(NULL) >= end) break;
      alarm(HANG_SECONDS);
    }
    mend_free(mend_malloc(i % 100000));
    if (i % 2 == 0) mend_collect(true);
  }
  CHECK(handled_count > 0 || test_is_instrumented());  // TSan delivers them too seldom
  _exit(0);
}

static void no_handler_hangs_the_program(void)
{
  fflush(stdout);
  int status = 0;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) allocate_under_signals();
  CHECK(waitpid(child, &status, 0) == child);
  bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  printf("interrupted inside mend: %s\n", status == 0 ? "went well" : hung ? "hung" : "crashed");
  CHECK(!hung);
}

int main(void)
{
  a_handler_may_allocate_outside_mend();
  no_handler_hangs_the_program();
  return TEST_PASS;
}
