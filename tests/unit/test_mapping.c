// SPDX-License-Identifier: MIT
//
// The budget of mappings, with a kernel that the test plays: it writes down what is renewed, and
// refuses when it is told to. There is no memory behind the runs.
#include "../support/suite.h"

#include <string.h>

#include "base/options.h"
#include "core/mapping.h"
#include "os/memory.h"

enum { RUNS = 40, SLICES = 3, A_SPLIT = 2, THREADS = 4 };

struct region region;
static struct page table[RUNS * SLICES];

static struct {
  bool refuses;
  _Atomic(size_t) calls;
  _Atomic(uintptr_t) start;  // of the last call
  _Atomic(size_t) bytes;
} kernel;

// Stands in for the library's.
bool os_memory_renew(void *start, size_t bytes)
{
  kernel.calls++;
  if (kernel.refuses) return false;
  kernel.start = (uintptr_t)start;
  kernel.bytes = bytes;
  return true;
}

static struct page *run_of(size_t number)
{
  return &table[number * SLICES];
}

static int set_back(void **state)
{
  (void)state;
  if (mapping_count() != 0) return -1;  // the test before has left something
  kernel.refuses = false;
  kernel.calls = 0;
  region.start = (uintptr_t)1 << 36;
  region.pages = table;
  memset(table, 0, sizeof table);
  for (size_t i = 0; i < RUNS; i++) run_of(i)->slices = SLICES;
  options.map_budget = RUNS * A_SPLIT;
  return 0;
}

static bool is_split(size_t number)
{
  return (run_of(number)->flags & PAGE_IS_SPLIT) != 0;
}

static void renew_all(void)
{
  kernel.refuses = false;
  for (size_t i = 0; i < RUNS; i++) CHECK(mapping_renew(run_of(i)));
}

// What the kernel has seen.
static void assert_renewed(size_t number, size_t calls)
{
  assert_int_equal(kernel.calls, calls);
  assert_int_equal(kernel.start, (uintptr_t)page_start(run_of(number)));
  assert_int_equal(kernel.bytes, SLICES * SLICE_BYTES);
}

// ---------------------------------------------------------------------------------------------

static void runs_are_split_while_the_budget_allows(void **state)
{
  (void)state;
  for (size_t budget = 0; budget < 10; budget++) {
    options.map_budget = budget;
    for (size_t i = 0; i < 6; i++) {
      bool is_within = (i + 1) * A_SPLIT <= budget;
      assert_int_equal(mapping_split(run_of(i)), is_within);
      assert_int_equal(is_split(i), is_within);
    }
    assert_int_equal(mapping_count(), budget / A_SPLIT * A_SPLIT);
    renew_all();
    assert_int_equal(mapping_count(), 0);
  }
}

static void a_run_that_is_split_already_costs_nothing(void **state)
{
  (void)state;
  options.map_budget = A_SPLIT;
  for (size_t i = 0; i < 3; i++) {
    assert_true(mapping_split(run_of(0)));
    assert_int_equal(mapping_count(), A_SPLIT);
  }
  assert_int_equal(kernel.calls, 0);
  renew_all();
}

static void renewing_takes_a_run_out_of_the_count(void **state)
{
  (void)state;
  run_of(1)->flags = PAGE_IS_ZERO;
  assert_true(mapping_split(run_of(1)));
  assert_true(mapping_split(run_of(2)));
  assert_true(mapping_renew(run_of(1)));
  assert_renewed(1, 1);
  assert_int_equal(run_of(1)->flags, PAGE_IS_ZERO);
  assert_int_equal(mapping_count(), A_SPLIT);
  assert_true(mapping_renew(run_of(1)));  // is not split any more
  assert_renewed(1, 2);
  assert_int_equal(mapping_count(), A_SPLIT);
  renew_all();
}

static void a_refused_renewal_changes_nothing(void **state)
{
  (void)state;
  assert_true(mapping_split(run_of(0)));
  kernel.refuses = true;
  assert_false(mapping_renew(run_of(0)));
  assert_false(mapping_renew(run_of(1)));
  assert_true(is_split(0) && !is_split(1));
  assert_int_equal(mapping_count(), A_SPLIT);
  renew_all();
}

// ---------------------------------------------------------------------------------------------
// Cutting and joining.

static void cutting_off_counts_if_the_run_was_split(void **state)
{
  (void)state;
  mapping_cut_off(run_of(0));
  assert_int_equal(mapping_count(), 0);
  run_of(1)->flags = PAGE_IS_SPLIT;  // the run that it was a part of is counted
  mapping_cut_off(run_of(1));
  assert_int_equal(mapping_count(), A_SPLIT);
  assert_int_equal(run_of(1)->flags, PAGE_IS_SPLIT);
  assert_int_equal(run_of(0)->flags, 0);
  assert_int_equal(kernel.calls, 0);
  renew_all();
}

static void beyond_the_budget_what_is_cut_off_is_renewed_and_zero(void **state)
{
  (void)state;
  options.map_budget = A_SPLIT;
  assert_true(mapping_split(run_of(0)));
  run_of(3)->flags = PAGE_IS_SPLIT;
  mapping_cut_off(run_of(3));
  assert_renewed(3, 1);
  assert_int_equal(run_of(3)->flags, PAGE_IS_ZERO);
  assert_int_equal(mapping_count(), A_SPLIT);
  mapping_cut_off(run_of(4));  // was not split: stays as it is
  assert_int_equal(run_of(4)->flags, 0);
  assert_int_equal(kernel.calls, 1);
  renew_all();
}

static void what_the_kernel_does_not_renew_is_counted_beyond_the_budget(void **state)
{
  (void)state;
  options.map_budget = A_SPLIT;
  assert_true(mapping_split(run_of(0)));
  kernel.refuses = true;
  for (size_t i = 1; i < 4; i++) {
    run_of(i)->flags = PAGE_IS_SPLIT;
    mapping_cut_off(run_of(i));
    assert_int_equal(run_of(i)->flags, PAGE_IS_SPLIT);
    assert_int_equal(mapping_count(), (i + 1) * A_SPLIT);
  }
  kernel.refuses = false;
  assert_true(mapping_renew(run_of(0)));
  assert_false(mapping_split(run_of(0)));  // still beyond
  renew_all();
}

static void of_two_split_runs_that_are_joined_one_is_counted(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    if ((i & 1) != 0) assert_true(mapping_split(run_of(0)));
    if ((i & 2) != 0) assert_true(mapping_split(run_of(1)));
    run_of(0)->flags |= PAGE_IS_ZERO;
    run_of(1)->flags |= PAGE_IS_CLOSED;
    uint8_t flags = mapping_join(run_of(0)->flags, run_of(1)->flags);
    assert_int_equal(flags, i != 0 ? PAGE_IS_SPLIT : 0);
    assert_int_equal(mapping_count(), i != 0 ? A_SPLIT : 0);
    run_of(0)->flags = flags;
    run_of(1)->flags = 0;
    renew_all();
    assert_int_equal(mapping_count(), 0);
  }
}

// ---------------------------------------------------------------------------------------------
// Random use, and several threads.

static void random_step(struct random *random)
{
  struct page *run = run_of(random_below(random, RUNS));
  struct page *other = run_of(random_below(random, RUNS));
  kernel.refuses = random_below(random, 4) == 0;
  switch (random_below(random, 4)) {
  case 0:
    (void)mapping_split(run);
    break;
  case 1:
    (void)mapping_renew(run);
    break;
  case 2:  // a part of a run becomes one that was none
    if ((other->flags & PAGE_IS_SPLIT) != 0) break;
    other->flags = run->flags;
    mapping_cut_off(other);
    break;
  default:  // and is none any more
    if (run == other) break;
    run->flags = mapping_join(run->flags, other->flags);
    other->flags = 0;
  }
}

static void the_count_is_that_of_the_runs_that_are_split(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(20000); i++) {
    size_t split = 0;
    if (i % 1000 == 0) options.map_budget = random_below(&random, RUNS * A_SPLIT);
    random_step(&random);
    for (size_t j = 0; j < RUNS; j++) split += is_split(j);
    assert_int_equal(mapping_count(), split * A_SPLIT);
  }
  renew_all();
}

static _Atomic(size_t) holders;

static void *split_and_renew(void *argument)
{
  struct page *run = argument;
  for (size_t i = 0; i < test_scaled(300000); i++) {
    if (!mapping_split(run)) continue;
    CHECK(atomic_fetch_add(&holders, 1) < 2);
    CHECK(atomic_fetch_sub(&holders, 1) > 0);
    CHECK(mapping_renew(run));
  }
  return NULL;
}

static void threads_together_keep_to_the_budget(void **state)
{
  (void)state;
  options.map_budget = 2 * A_SPLIT;
  kernel.calls = 0;
  threads_run(THREADS, split_and_renew, table, SLICES * sizeof *table);
  assert_true(kernel.calls > 0);
  assert_int_equal(mapping_count(), 0);
}

#define MAPPING_TEST(function) cmocka_unit_test_setup_teardown(function, set_back, set_back)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      MAPPING_TEST(runs_are_split_while_the_budget_allows),
      MAPPING_TEST(a_run_that_is_split_already_costs_nothing),
      MAPPING_TEST(renewing_takes_a_run_out_of_the_count),
      MAPPING_TEST(a_refused_renewal_changes_nothing),
      MAPPING_TEST(cutting_off_counts_if_the_run_was_split),
      MAPPING_TEST(beyond_the_budget_what_is_cut_off_is_renewed_and_zero),
      MAPPING_TEST(what_the_kernel_does_not_renew_is_counted_beyond_the_budget),
      MAPPING_TEST(of_two_split_runs_that_are_joined_one_is_counted),
      MAPPING_TEST(the_count_is_that_of_the_runs_that_are_split),
      MAPPING_TEST(threads_together_keep_to_the_budget),
  };
  return SUITE_RUN(tests);
}
