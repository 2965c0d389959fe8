// SPDX-License-Identifier: MIT
//
// Lack of memory at every system call in turn. This program starts itself again for the first call,
// the second, and so on until there is none; each time that call fails, and in another round all
// that follow it do too. Each run must refuse what it cannot do, lose nothing, and when the kernel
// is itself again go on as if nothing had happened. Where tests are short, some calls are left out.
#define _GNU_SOURCE 1
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "../support/respawn.h"
#include "failing_os.h"

static int run_with_fault(void)
{
  size_t refusals = workload_run();
  size_t calls = failing_os_calls();
  size_t failures = failing_os_failures();
  failing_os_heal();
  workload_check_nothing_left();
  CHECK(workload_run() == 0);
  workload_check_nothing_left();
  fprintf(stderr, "%zu calls, %zu failed, %zu requests refused\n", calls, failures, refusals);
  return TEST_PASS;
}

struct result {
  size_t calls;
  size_t failures;
  size_t refusals;
};

static struct result run(const char *kind, size_t number, const char *reserve)
{
  static struct outcome outcome;
  struct result result = {0, 0, 0};
  char fault[40];
  snprintf(fault, sizeof fault, "%s:%zu", kind, number);
  const char *const environment[] = {"MEND_TEST_FAULT", fault, "MEND_RESERVE", reserve, NULL};
  respawn_run(&(struct respawn){.argument = "run", .environment = environment}, &outcome);
  if (outcome.exit_code != 0) fprintf(stderr, "%s: %s\n", fault, outcome.text);
  CHECK(outcome.exit_code == 0);
  CHECK(sscanf(outcome.text, "%zu calls, %zu failed, %zu requests", &result.calls, &result.failures,
               &result.refusals) == 3);
  return result;
}

// Returns how many of the runs refused something.
static size_t run_for_every_call(const char *kind, size_t first, const char *reserve)
{
  size_t refusing = 0;
  size_t number = first;
  size_t step = run("once", SIZE_MAX, reserve).calls / test_scaled(1500) + 1;
  for (;; number += step) {
    struct result result = run(kind, number, reserve);
    if (result.failures == 0) break;
    refusing += result.refusals > 0;
  }
  printf("%s, reserve %s: calls %zu to %zu in steps of %zu, %zu of these runs refused something\n",
         kind, reserve, first, number - step, step, refusing);
  CHECK(number > 50);
  return refusing;
}

static void without_faults_nothing_is_refused(void **state)
{
  (void)state;
  struct result result = run("once", SIZE_MAX, "0");
  assert_int_equal(result.failures, 0);
  assert_int_equal(result.refusals, 0);
  assert_true(result.calls > 50);
}

static void any_single_call_may_fail(void **state)
{
  (void)state;
  run_for_every_call("once", 1, "0");
}

static void any_single_call_may_fail_in_a_reserved_region(void **state)
{
  (void)state;
  run_for_every_call("once", 1, "1");
}

static void memory_may_run_out_at_any_call(void **state)
{
  (void)state;
  assert_true(run_for_every_call("from", 1, "0") > 5);
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_faults_nothing_is_refused),
      cmocka_unit_test(any_single_call_may_fail),
      cmocka_unit_test(any_single_call_may_fail_in_a_reserved_region),
      cmocka_unit_test(memory_may_run_out_at_any_call),
  };
  if (argc > 1 && strcmp(argv[1], "run") == 0) return run_with_fault();
  return SUITE_RUN(tests);
}
