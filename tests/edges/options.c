// SPDX-License-Identifier: MIT
//
// Options from the environment: an unknown one or a bad value is one line of warning and never ends
// the program; names that begin with MEND_TEST_ are not options; MEND_NAME wins over MEND_CONF.
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/workout.h"

static struct outcome outcome;

static void run_with(const char *name, const char *value)
{
  const char *const environment[] = {name, value, NULL};
  respawn_check(&(struct respawn){.argument = "work", .environment = environment}, &outcome);
}

static void expect_warning(const char *name, const char *value, const char *word)
{
  run_with(name, value);
  CHECK(outcome_count(&outcome, "mend: warning: ") == 1);
  CHECK(outcome_count(&outcome, "\n") == 1);
  CHECK(outcome_count(&outcome, word) == 1);
}

static void expect_silence(const char *name, const char *value)
{
  run_with(name, value);
  CHECK(outcome.bytes == 0);
}

// Whether 64 MiB can be had depends on the limit that was read.
static int probe(void)
{
  void *block = mend_malloc(64 * MIB);
  int result = block == NULL;
  mend_free(block);
  return result;
}

static void expect_limit(const char *conf, const char *name, const char *value, int limited)
{
  const char *const environment[] = {"MEND_CONF", conf, name, value, NULL};
  respawn_run(&(struct respawn){.argument = "probe", .environment = environment}, &outcome);
  CHECK(outcome.exit_code == limited);
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "probe") == 0) return probe();
  if (argc > 1) {
    workout_run(1, 1000);
    return TEST_PASS;
  }
  expect_warning("MEND_NO_SUCH_THING", "1", "\"NO_SUCH_THING\"");
  expect_warning("MEND_CONF", "no_such_thing:1", "\"no_such_thing\"");
  expect_warning("MEND_CONF", "limit", "\"limit\"");
  expect_warning("MEND_LIMIT", "much", "\"LIMIT\"");
  expect_warning("MEND_LIMIT", "", "\"LIMIT\"");
  expect_warning("MEND_LIMIT", "-1", "\"LIMIT\"");
  expect_warning("MEND_LIMIT", "99999999999999999999999", "\"LIMIT\"");
  expect_warning("MEND_PAGE_SIZE", "1t", "\"PAGE_SIZE\"");
  expect_silence("MEND_TEST_ANYTHING", "1");
  expect_silence("MEND_LIMIT", "1g");
  expect_silence("MEND_CONF", "limit:1g,purge_delay:5s");
  expect_silence("MEND_CONF", "");
  run_with("MEND_CONF", "no:1,such:2,limit:1g");
  CHECK(outcome_count(&outcome, "mend: warning: ") == 2);
  expect_limit("limit:32m", "MEND_STATS", "0", 1);
  expect_limit("limit:32m", "MEND_LIMIT", "1g", 0);
  expect_limit("limit:1g", "MEND_LIMIT", "32m", 1);
  return TEST_PASS;
}
