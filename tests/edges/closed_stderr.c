// SPDX-License-Identifier: MIT
//
// Statistics at the exit (MEND_STATS=1) of a program that has closed its stderr: it ends as it
// would have, also where the descriptor is a pipe that nobody reads.
#define _GNU_SOURCE 1
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/workout.h"

static int run(const char *how)
{
  workout_run(1, 1000);
  if (strcmp(how, "closed") == 0) close(STDERR_FILENO);
  if (strcmp(how, "broken") == 0) {
    int ends[2];
    CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    signal(SIGPIPE, SIG_IGN);
  }
  return 23;
}

int main(int argc, char **argv)
{
  static const char *const environment[] = {"MEND_STATS", "1", NULL};
  static const char *const ways[] = {"open", "closed", "broken"};
  static struct outcome outcome;
  if (argc > 1) return run(argv[1]);
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    respawn_run(&(struct respawn){.argument = ways[i], .environment = environment}, &outcome);
    CHECK(outcome.exit_code == 23);
    CHECK((outcome.bytes > 0) == (i == 0));  // the table is there where it can be
  }
  return TEST_PASS;
}
