// SPDX-License-Identifier: MIT
//
// Strict overcommit (vm.overcommit_memory=2), which a test may not switch on: from a number of
// writable bytes on the kernel refuses more. A program gets most of what there is, then ENOMEM, and
// what it frees it can have again.
#define _GNU_SOURCE 1
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "../support/chain.h"
#include "../support/respawn.h"
#include "failing_os.h"

static int use_it_up(size_t limit)
{
  static const size_t sizes[] = {100, 3000, 20000, 300000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    void *chain = NULL;
    size_t first = chain_fill(&chain, sizes[i]);
    size_t committed = failing_os_committed_bytes();
    chain_release(&chain);
    size_t second = chain_fill(&chain, sizes[i]);
    chain_release(&chain);
    workload_check_nothing_left();
    fprintf(stderr, "%zu KiB: %zu KiB in blocks of %zu, then %zu KiB\n", limit / KIB, first / KIB,
            sizes[i], second / KIB);
    CHECK(committed <= limit && second >= first - first / 16);
    CHECK(first >= limit / 4 * 3 || TEST_IS_WASTEFUL);
  }
  (void)workload_run();
  workload_check_nothing_left();
  failing_os_heal();
  return TEST_PASS;
}

static void nearly_all_that_may_be_committed_can_be_had(void **state)
{
  (void)state;
  static struct outcome outcome;
  static const size_t limits[] = {8, 33, 100};  // MiB
  for (size_t i = 0; i < 3; i++) {
    for (size_t is_reserved = 0; is_reserved < 2; is_reserved++) {
      char fault[40], bytes[32];
      snprintf(fault, sizeof fault, "commit:%zu", limits[i] * MIB);
      snprintf(bytes, sizeof bytes, "%zu", limits[i] * MIB);
      const char *const environment[] = {"MEND_TEST_FAULT", fault, "MEND_RESERVE",
                                         is_reserved != 0 ? "1" : "0", NULL};
      respawn_check(&(struct respawn){.argument = bytes, .environment = environment}, &outcome);
    }
  }
}

static void nothing_is_charged_before_it_is_used(void **state)
{
  (void)state;
  mend_free(mend_malloc(1));
  assert_true(failing_os_committed_bytes() <= 2 * MIB);
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_charged_before_it_is_used),
      cmocka_unit_test(nearly_all_that_may_be_committed_can_be_had),
  };
  if (argc > 1) return use_it_up(strtoull(argv[1], NULL, 10));
  return SUITE_RUN(tests);
}
