// SPDX-License-Identifier: MIT
//
// Runs a part of a test in a child process, for what ends the process or can be done only once. In
// the child use CHECK: cmocka's asserts would go on with the next test there.
#ifndef TESTS_UNIT_CHILD_H
#define TESTS_UNIT_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/suite.h"

struct ending {
  int exit_code;      // of a child that ended by itself, else -1
  int signal_number;  // of one that a signal ended, else 0
  char text[16384];   // the start of what it wrote on stderr, terminated
};

// cmocka's handlers would take a fault for the failure of a test.
static inline void child_forget_handlers(void)
{
  static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) signal(faults[i], SIG_DFL);
}

// The child's exit code is 0 if `body` returns.
static inline struct ending child_run(void (*body)(void))
{
  struct ending ending = {-1, 0, ""};
  int pipes[2];
  int status = 0;
  size_t length = 0;
  CHECK(pipe(pipes) == 0);
  fflush(NULL);
  pid_t child = test_fork();
  if (child == 0) {
    CHECK(dup2(pipes[1], STDERR_FILENO) == STDERR_FILENO);
    CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0);
    close(pipes[0]);
    close(pipes[1]);
    child_forget_handlers();
    body();
    _exit(0);
  }
  close(pipes[1]);
  ssize_t got;
  char rest[4096];  // is read, too: the child is not to end for want of a reader
  do {
    size_t room = sizeof ending.text - 1 - length;
    got = room > 0 ? read(pipes[0], ending.text + length, room) : read(pipes[0], rest, sizeof rest);
    if (room > 0 && got > 0) length += (size_t)got;
  } while (got > 0);
  ending.text[length] = '\0';
  close(pipes[0]);
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) ending.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal_number = WTERMSIG(status);
  return ending;
}

// The child must come to its end.
static inline void child_check(void (*body)(void))
{
  struct ending ending = child_run(body);
  if (ending.exit_code != 0) fprintf(stderr, "in the child:\n%s", ending.text);
  CHECK(ending.exit_code == 0);
}

// The child must be aborted with a line that begins with `text`.
static inline void child_check_abort(void (*body)(void), const char *text)
{
  struct ending ending = child_run(body);
  bool is_said = strncmp(ending.text, text, strlen(text)) == 0;
  if (!is_said) fprintf(stderr, "expected: %s\nin the child: %s\n", text, ending.text);
  CHECK(is_said);
  CHECK(ending.signal_number == SIGABRT);
}

#endif
