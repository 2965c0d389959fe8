// SPDX-License-Identifier: MIT
//
// Statistics at the exit (MEND_STATS=1) of a program that has closed its stderr, or whose stderr is
// a pipe that nobody reads: it ends as it would have. Where stderr was closed from the start, its
// number goes to a file that the program opens; nothing may be written there. Nor may it where the
// program closes every descriptor that it does not know, and a file of its own gets the number.
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

// As a daemon does, and then opens the file under every number up to 1000 or the limit.
static int take_all_descriptors(const char *name)
{
  for (int i = 3; i < 1000; i++) close(i);
  for (int file = 3; file >= 0 && file < 1000;) file = open(name, O_WRONLY);
  return EXIT_CODE;
}

static int run(const char *how)
{
  workout_run(1, 1000);
  if (strncmp(how, "all:", 4) == 0) return take_all_descriptors(how + 4);
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

static void limit_descriptors(void)
{
  struct rlimit limit = {256, 256};
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void expect_empty_file(void)
{
  char all[40];
  int file = mkstemp(file_name);
  CHECK(file >= 0);
  expect_end(file_name, close_stderr);
  snprintf(all, sizeof all, "all:%s", file_name);
  for (size_t i = 0; i < 2 && !test_is_instrumented(); i++) {  // a checker opens files at the end
    expect_end(all, i == 0 ? NULL : limit_descriptors);
    CHECK(outcome_count(&outcome, "bytes live") == 1);  // stderr is what it was
  }
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
