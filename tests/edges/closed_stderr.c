// SPDX-License-Identifier: MIT
//
// Statistics at the exit (MEND_STATS=1) of a program that has closed its stderr, or whose stderr is
// a pipe that nobody reads: it ends as it would have. Where stderr was closed from the start, its
// number goes to a file that the program opens; nothing may be written there.
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/workout.h"

enum { EXIT_CODE = 23 };

static void break_stderr(void)
{
  int ends[2];
  CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
  close(ends[0]);
  close(ends[1]);
  CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

static void close_stderr(void)
{
  close(STDERR_FILENO);
}

static char file_name[] = "/tmp/mend-test-XXXXXX";

static int run(const char *how)
{
  workout_run(1, 1000);
  if (strcmp(how, "close") == 0) close(STDERR_FILENO);
  if (how[0] == '/' && open(how, O_WRONLY | O_TRUNC) != STDERR_FILENO) return 1;
  return EXIT_CODE;
}

static struct outcome outcome;

static void expect_end(const char *argument, void (*prepare)(void))
{
  static const char *const environment[] = {"MEND_STATS", "1", NULL};
  respawn_run(&(struct respawn){argument, environment, prepare, NULL}, &outcome);
  CHECK(outcome.exit_code == EXIT_CODE);
}

static void expect_empty_file(void)
{
  int file = mkstemp(file_name);
  CHECK(file >= 0);
  expect_end(file_name, close_stderr);
  CHECK(lseek(file, 0, SEEK_END) == 0);
  close(file);
  unlink(file_name);
}

int main(int argc, char **argv)
{
  if (argc > 1) return run(argv[1]);
  expect_end("leave", NULL);
  CHECK(outcome_count(&outcome, "bytes live") == 1);  // so there is something to be written
  expect_end("close", NULL);
  expect_end("leave", break_stderr);
  if (test_is_in_valgrind()) return TEST_PASS;  // which does not start without a stderr
  expect_end("leave", close_stderr);
  expect_empty_file();
  return TEST_PASS;
}
