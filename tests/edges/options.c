// SPDX-License-Identifier: MIT
//
// Options from the environment: an unknown one or a bad value is one line of warning, which shows
// the value of known ones only, and never ends the program, nor does a limit that allows next to
// nothing; names that begin with MEND_TEST_ are not options; MEND_NAME wins over MEND_CONF.
#define _GNU_SOURCE 1
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/workout.h"
#include "mend/stats.h"

static struct outcome outcome;

static void run_with(const char *name, const char *value)
{
  const char *const environment[] = {name, value, NULL};
  respawn_check(&(struct respawn){.argument = "work", .environment = environment}, &outcome);
}

// `line` is all that is said.
static void expect_warning(const char *name, const char *value, const char *line)
{
  run_with(name, value);
  CHECK(strcmp(outcome.text, line) == 0);
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

static void expect_enomem(void *block)
{
  CHECK(block == NULL && errno == ENOMEM);
  errno = 0;
}

// One of each that fails when there is nothing to be had; and what is there is there.
static void *ask_for_much(void *unused)
{
  size_t much = 2 * MIB;
  errno = 0;
  expect_enomem(mend_malloc(much));
  expect_enomem(mend_calloc(much, 1));
  expect_enomem(mend_aligned_alloc(4096, much));
  expect_enomem(mend_realloc(NULL, much));
  for (size_t size = 1; size < much; size *= 2) {
    errno = 0;
    char *block = mend_malloc(size);
    if (block == NULL) {
      expect_enomem(block);
      continue;
    }
    memset(block, 1, size);
    expect_enomem(mend_realloc(block, much));
    CHECK(block[size - 1] == 1);
    mend_free(block);
  }
  return unused;
}

static int live_on_nothing(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  pthread_t thread;
  ask_for_much(NULL);
  CHECK(pthread_create(&thread, NULL, ask_for_much, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  mend_heap_destroy(mend_heap_create());
  mend_collect(true);
  CHECK(mend_stats_get(&stats) && stats.live_bytes < 2 * MIB);
  return TEST_PASS;
}

static void expect_life_below(const char *limit)
{
  const char *const environment[] = {"MEND_LIMIT", limit, NULL};
  respawn_check(&(struct respawn){.argument = "nothing", .environment = environment}, &outcome);
  CHECK(outcome.bytes == 0);
}

static void expect_warnings(void)
{
  expect_warning("MEND_NO_SUCH_THING", "1", "mend: MEND_NO_SUCH_THING: no such option; ignored\n");
  expect_warning("MEND_CONF", "no_such:1", "mend: MEND_CONF: no_such: no such option; ignored\n");
  expect_warning("MEND_USER_KEY", "s3cr3t", "mend: MEND_USER_KEY: no such option; ignored\n");
  expect_warning("MEND_CONF", "limit=1g", "mend: MEND_CONF: limit=1g: not name:value; ignored\n");
  expect_warning("MEND_CONF", "limit", "mend: MEND_CONF: limit: no value; ignored\n");
  expect_warning("MEND_LIMIT", "12q", "mend: MEND_LIMIT=12q: not a size; ignored\n");
  expect_warning("MEND_LIMIT", "-1", "mend: MEND_LIMIT=-1: not a size; ignored\n");
  expect_warning("MEND_OS_PAGE_SIZE", "1t",
                 "mend: MEND_OS_PAGE_SIZE=1t: not in the range of 0 to 64k; ignored\n");
  expect_warning("MEND_OS_PAGE_SIZE", "12k",
                 "mend: MEND_OS_PAGE_SIZE=12k: neither 0 nor a power of two from the kernel's page "
                 "on; ignored\n");
  expect_warning("MEND_CONF", "os_page_size:2k",
                 "mend: MEND_CONF: os_page_size:2k: neither 0 nor a power of two from the kernel's "
                 "page on; ignored\n");
  expect_warning("MEND_CONF", "no:1,such:2,limit:1g",
                 "mend: MEND_CONF: no: no such option; ignored\n"
                 "mend: MEND_CONF: such: no such option; ignored\n");
}

int main(int argc, char **argv)
{
  static const char *const tiny_limits[] = {"1", "4096", "64k", "65537", "128k", "1m"};
  if (argc > 1 && strcmp(argv[1], "probe") == 0) return probe();
  if (argc > 1 && strcmp(argv[1], "nothing") == 0) return live_on_nothing();
  if (argc > 1) {
    workout_run(1, 1000);
    return TEST_PASS;
  }
  expect_warnings();
  expect_silence("MEND_TEST_ANYTHING", "1");
  expect_silence("MEND_LIMIT", "1g");
  expect_silence("MEND_LIMIT", "");
  expect_silence("MEND_CONF", "limit:1g,purge_delay:5s");
  expect_silence("MEND_CONF", "");
  expect_limit("limit:32m", "MEND_STATS", "0", 1);
  expect_limit("limit:32m", "MEND_LIMIT", "1g", 0);
  expect_limit("limit:32m", "MEND_LIMIT", "", 1);
  expect_limit("limit:1g", "MEND_LIMIT", "32m", 1);
  for (size_t i = 0; i < sizeof tiny_limits / sizeof tiny_limits[0]; i++) {
    expect_life_below(tiny_limits[i]);
  }
  return TEST_PASS;
}
