// SPDX-License-Identifier: MIT
//
// The side of the case: see attack.h. Where it stands is written to a byte of memory that the judge
// has made and handed down as a descriptor.
#define _GNU_SOURCE 1
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "judge.h"

enum { HANG_SECONDS = 60 };

static volatile char *step_now;
static char step_of_its_own;  // where nobody judges: a case that was started by hand

void attack_access(void)
{
  *step_now = STEP_ACCESS;
}

void attack_misuse(void)
{
  *step_now = STEP_MISUSE;
}

void attack_after(void)
{
  *step_now = STEP_AFTER;
}

static _Noreturn void end(const char *word, const char *text, int code)
{
  static const char newline[] = "\n";
  ssize_t written = write(STDOUT_FILENO, word, strlen(word));
  written += write(STDOUT_FILENO, text, strlen(text));
  written += write(STDOUT_FILENO, newline, 1);
  _exit(written < 0 ? EXIT_FAILURE : code);
}

_Noreturn void attack_cannot(const char *reason)
{
  end("cannot run: ", reason, TEST_CANNOT_RUN);
}

_Noreturn void attack_worked(const char *gain)
{
  end("worked: ", gain, EXIT_WORKED);
}

_Noreturn void attack_neutralised(void)
{
  end("neutralised", "", EXIT_NEUTRALISED);
}

bool attack_way_is(const struct attack *attack, const char *way)
{
  return strcmp(attack->threat->ways[attack->way], way) == 0;
}

int attack_level(void)
{
  const char *level = getenv("MEND_HARDEN");
  return level == NULL ? 2 : level[0] - '0';
}

struct errand {
  void (*body)(void *);
  void *argument;
};

static void *run_errand(void *argument)
{
  struct errand *errand = argument;
  errand->body(errand->argument);
  return NULL;
}

void attack_in_thread(void (*body)(void *), void *argument)
{
  struct errand errand = {body, argument};
  threads_run(1, run_errand, &errand, sizeof errand);
}

// Ends this process as the child has ended.
static _Noreturn void end_like(int status)
{
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  int number = WTERMSIG(status);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  signal(number, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  kill(getpid(), number);
  _exit(EXIT_FAILURE);
}

void attack_continue_in_fork(void)
{
  int status = 0;
  pid_t child = test_fork();
  if (child == 0) return;
  CHECK(waitpid(child, &status, 0) == child);
  end_like(status);
}

static void find_step(void)
{
  const char *number = getenv(JUDGE_STEP_VARIABLE);
  step_now = &step_of_its_own;
  if (number == NULL) return;
  void *shared = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(number), 0);
  CHECK(shared != MAP_FAILED);
  step_now = shared;
}

static bool is_case(const struct attack *attack, const char *name)
{
  char its[CASE_NAME_BYTES];
  case_name(attack, its);
  return strcmp(its, name) == 0;
}

_Noreturn void attack_run_case(const char *name)
{
  find_step();
  alarm(HANG_SECONDS);
  for (size_t i = 0; i < case_count(); i++) {
    struct attack attack = case_at(i);
    if (!is_case(&attack, name)) continue;
    attack.threat->run(&attack);
    attack_neutralised();
  }
  fprintf(stderr, "no case is named %s\n", name);
  _exit(EXIT_FAILURE);
}
