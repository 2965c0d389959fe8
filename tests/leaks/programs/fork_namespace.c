// clean
// SPDX-License-Identifier: MIT
// child: clean
//
// A child in a namespace of processes of its own, which still sees its parent's /proc: the numbers
// there are not those that its threads know each other by. What they hold is not lost.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plant.h"

enum { THREADS = 4, HELD = 64, LAST = 200, FREE_NUMBER = 99 };

static pthread_barrier_t all_hold;

static void *hold(void *argument)
{
  void *volatile held[HELD];
  for (size_t i = 0; i < HELD; i++) held[i] = calloc(1, 200);
  pthread_barrier_wait(&all_hold);
  for (;;) pause();
  plant_use(held[0]);
  return argument;
}

static int hold_in_threads(void)
{
  pthread_t threads[THREADS];
  pthread_barrier_init(&all_hold, NULL, THREADS + 1);
  for (size_t i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, hold, NULL) != 0) abort();
  }
  pthread_barrier_wait(&all_hold);
  return 0;
}

// Whether a stranger has the number of this process in /proc, as most often somebody has.
static int is_strangers_number(void)
{
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/task", (int)getpid());
  return getpid() > 9 && access(path, R_OK) == 0;
}

// The first process of the namespace.
static _Noreturn void fork_until_number_is_taken(void)
{
  for (int i = 0, status = 0;; i++) {
    pid_t child = fork();
    if (child == 0 && (i == LAST || is_strangers_number())) exit(hold_in_threads());
    if (child == 0) _exit(FREE_NUMBER);
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != FREE_NUMBER) _exit(status != 0);
  }
}

// Where no namespace is granted, all are children as any. (This one cannot be checked: with the
// first process of a namespace it has lost the right to fork.)
static _Noreturn void be_namespace(void)
{
  int status = 0;
  if (unshare(CLONE_NEWPID) != 0) (void)unshare(CLONE_NEWUSER | CLONE_NEWPID);
  pid_t child = fork();
  if (child == 0) fork_until_number_is_taken();
  waitpid(child, &status, 0);
  _exit(status != 0);
}

int main(void)
{
  int status = 0;
  pid_t child = fork();
  if (child == 0) be_namespace();
  waitpid(child, &status, 0);
  return status;
}
