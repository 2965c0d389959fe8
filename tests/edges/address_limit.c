// SPDX-License-Identifier: MIT
//
// RLIMIT_AS, as by `ulimit -v`: a program starts under small limits, gets a fair part of what is
// allowed, then NULL with ENOMEM; and after freeing goes on as before, and so it does after
// requests that were refused.
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../support/chain.h"
#include "../support/respawn.h"
#include "../support/workout.h"

static size_t limit_bytes;

static void limit_address_space(void)
{
  struct rlimit limit = {limit_bytes, limit_bytes};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void *work(void *seed)
{
  workout_run((uintptr_t)seed, 300);
  return NULL;
}

static int fill_up(size_t limit)
{
  static const size_t sizes[] = {100, 3000, 20000, 300000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    void *chain = NULL;
    size_t first = chain_fill(&chain, sizes[i]);
    chain_release(&chain);
    size_t second = chain_fill(&chain, sizes[i]);
    chain_release(&chain);
    printf("%zu KiB allowed: %zu KiB in blocks of %zu, %zu KiB after freeing them\n", limit / KIB,
           first / KIB, sizes[i], second / KIB);
    CHECK(first >= limit / (TEST_IS_WASTEFUL ? 1000 : 2));
    CHECK(second >= first - first / 8);
  }
  workout_run(1, 2000);
  return TEST_PASS;
}

static int run_threads(void)
{
  static char seeds[4];  // each thread's stack alone takes 8 MiB of the limit
  workout_run(1, 2000);
  threads_run(sizeof seeds, work, seeds, 1);
  return TEST_PASS;
}

// What is refused, because it is far too much, must leave nothing behind that counts.
static int refuse_and_go_on(size_t limit)
{
  void *chain = NULL;
  for (size_t i = 0; i < 3; i++) CHECK(mend_malloc((size_t)100 << 30 << i) == NULL);
  size_t got = chain_fill(&chain, 300000);
  printf("%zu KiB allowed: %zu KiB after requests that were refused\n", limit / KIB, got / KIB);
  CHECK(got >= limit / 2);
  chain_release(&chain);
  return TEST_PASS;
}

static void run_limited(const char *argument)
{
  static struct outcome outcome;
  respawn_check(&(struct respawn){.argument = argument, .prepare = limit_address_space}, &outcome);
}

int main(int argc, char **argv)
{
  static const size_t limits[] = {512, 256, 128, 64, 32};  // MiB
  if (argc > 1 && strcmp(argv[1], "threads") == 0) return run_threads();
  if (argc > 1 && argv[1][0] == '-') return refuse_and_go_on(strtoull(argv[1] + 1, NULL, 10));
  if (argc > 1) return fill_up(strtoull(argv[1], NULL, 10));
  if (test_is_instrumented()) return test_cannot_run("the checker itself needs address space");
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    char argument[32];
    // In the hardened build a page has at least 256 blocks, whatever their size.
    if (TEST_IS_HARDENED && limits[i] < 64) continue;
    limit_bytes = limits[i] * MIB;
    snprintf(argument, sizeof argument, "-%zu", limit_bytes);
    run_limited(argument);
    run_limited(argument + 1);
    // In the hardened build large blocks keep their addresses for a while when they are freed.
    if (limits[i] >= (TEST_IS_HARDENED ? 256 : 128)) run_limited("threads");
  }
  return TEST_PASS;
}
