// SPDX-License-Identifier: MIT
//
// A program that runs with more rights than its caller (AT_SECURE, here by a set-user-id copy of
// this one that another user starts) ignores the environment: an option that would draw a warning
// draws none, and a limit limits nothing.
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/folder.h"
#include "../support/respawn.h"
#include "../support/support.h"
#include "mend/mend.h"

enum { NOBODY = 65534, IS_SECURE = 10, IS_LIMITED = 1 };

static char folder[] = "/tmp/mend-test-XXXXXX";
static char copy[PATH_MAX];

static int probe(void)
{
  void *block = mend_malloc(64 * MIB);
  int result = (getauxval(AT_SECURE) != 0 ? IS_SECURE : 0) + (block == NULL ? IS_LIMITED : 0);
  mend_free(block);
  return result;
}

static void copy_self(void)
{
  char buffer[65536];
  ssize_t got;
  CHECK(folder_make(folder) && chmod(folder, 0755) == 0);
  snprintf(copy, sizeof copy, "%s/program", folder);
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  int to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  CHECK(from >= 0 && to >= 0);
  while ((got = read(from, buffer, sizeof buffer)) > 0)
    CHECK(write(to, buffer, (size_t)got) == got);
  CHECK(got == 0 && fchmod(to, 04755) == 0);
  close(from);
  close(to);
}

static void become_nobody(void)
{
  CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

static int compare_runs(void)
{
  static const char *const environment[] = {"MEND_LIMIT", "32m", "MEND_NO_SUCH_THING", "1", NULL};
  static struct outcome outcome;
  struct respawn run = {.argument = "probe", .environment = environment, .program = copy};
  respawn_run(&run, &outcome);  // as root: nothing special
  CHECK(outcome.exit_code == IS_LIMITED);
  CHECK(outcome_count(&outcome, "MEND_NO_SUCH_THING: no such option") == 1);
  run.prepare = become_nobody;
  respawn_run(&run, &outcome);
  if (outcome.exit_code == IS_LIMITED) return test_cannot_run("/tmp ignores set-user-id bits");
  CHECK(outcome.exit_code == IS_SECURE);
  CHECK(outcome.bytes == 0);
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "probe") == 0) return probe();
  if (test_is_in_valgrind()) return test_cannot_run("Valgrind starts no set-user-id program");
  if (geteuid() != 0) return test_cannot_run("only root can start a program as another user");
  copy_self();
  int result = compare_runs();
  (void)folder_remove();
  return result;
}
