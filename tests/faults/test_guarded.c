// SPDX-License-Identifier: MIT
//
// Guarded blocks on a kernel that has no guards in its page table, so that each is a mapping, and
// on one that refuses some call or other.
#define _GNU_SOURCE 1
#include "../support/kernel_guards.h"

#include "../unit/child.h"
#include "../unit/guarded.h"
#include "os/maps.h"

// ---------------------------------------------------------------------------------------------
// Without guards in the page table.

static bool count_map(const struct os_map *map, void *argument)
{
  (void)map;
  ++*(size_t *)argument;
  return true;
}

static size_t mapping_count(void)
{
  static struct os_maps_reader reader;
  size_t count = 0;
  CHECK(os_maps_each(&reader, count_map, &count));
  return count;
}

static void keep_within_the_budget(void)
{
  enum { BUDGET = 400, ROUNDS = 20 };
  void *blocks[BUDGET];
  options.map_budget = BUDGET;
  guarded_begin(4);
  CHECK(!os_guard_is_free_of_mappings());
  size_t before = mapping_count();
  for (size_t round = 0; round < ROUNDS; round++) {
    size_t count = 0;
    while ((blocks[count] = guarded_allocate(1 + count * 50, 0, KIND_MALLOC)) != NULL) {
      memset(blocks[count], 1, 1 + count * 50);
      count++;
    }
    CHECK(count == BUDGET / 4);
    CHECK(test_is_instrumented() || mapping_count() <= before + BUDGET);
    while (count-- > 0) guarded_release(blocks[count], KIND_MALLOC, 1 + count * 50, 0);
  }
  CHECK(test_is_instrumented() || mapping_count() <= before + 8);
}

static void live_blocks_keep_within_the_budget_of_mappings(void **state)
{
  (void)state;
  child_check(keep_within_the_budget);
}

static void use_freed_block(void)
{
  guarded_begin(4);
  volatile char *block = guarded_block_at(64, 0, true);
  block[63] = 1;
  guarded_release((void *)block, KIND_MALLOC, 64, 0);
  fprintf(stderr, "freed\n");
  block[63] = 1;
}

static void overflow_block(void)
{
  guarded_begin(4);
  volatile char *block = guarded_block_at(64, 0, true);
  fprintf(stderr, "freed\n");
  block[64] = 1;
}

static void accesses_past_the_end_and_after_the_free_fault(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) skip();  // a checker has handlers of its own
  struct ending ending = child_run(use_freed_block);
  assert_int_equal(ending.signal_number, SIGSEGV);
  assert_non_null(strstr(ending.text, "freed\nmend: use after free"));
  ending = child_run(overflow_block);
  assert_int_equal(ending.signal_number, SIGSEGV);
  assert_non_null(strstr(ending.text, "freed\nmend: heap overflow"));
}

// ---------------------------------------------------------------------------------------------
// Calls that are refused.

static bool use_some(void)
{
  bool has_all = true;
  for (size_t i = 0; i < 12; i++) {
    size_t size = 1 + i * 1000;
    char *block = guarded_allocate(size, 0, KIND_MALLOC);
    has_all = has_all && block != NULL;
    if (block == NULL) continue;
    CHECK(is_zero(block, size));
    memset(block, 0xff, size);
    guarded_release(block, KIND_MALLOC, size, 0);
  }
  CHECK(guarded_live_count() == 0);
  return has_all;
}

static void fail_once(void)
{
  os_memory_init(0, false);
  options.harden = 4;
  options.region = 64 * MIB;
  (void)os_guard_is_free_of_mappings();  // what it finds is kept
  kernel.calls = 0;
  bool is_started = guarded_start();
  if (is_started) (void)use_some();
  bool has_failed = kernel.calls >= kernel.fails_at;
  CHECK(has_failed == (kernel.refusals > 0));
  kernel.fails_at = 0;
  if (is_started) CHECK(use_some());
  _exit(has_failed ? 0 : 3);
}

static void a_refusal_costs_a_block_and_no_more(void **state)
{
  (void)state;
  size_t refusals = 0;
  size_t step = test_is_instrumented() ? 7 : 1;  // where a fork takes long
  for (size_t i = 0; i < 4; i++) {
    kernel.has_marks = i % 2 > 0;
    kernel.fails_times = i < 2 ? 1 : 4;  // no other way is left then
    struct ending ending = {.exit_code = 0};
    for (kernel.fails_at = 1; ending.exit_code == 0; kernel.fails_at += step) {
      ending = child_run(fail_once);
      refusals += ending.exit_code == 0;
    }
    if (ending.exit_code != 3)
      fprintf(stderr, "at call %zu:\n%s", kernel.fails_at - step, ending.text);
    assert_int_equal(ending.exit_code, 3);
    assert_true(refusals > 20 / step);
  }
  kernel.has_marks = false;
  kernel.fails_at = 0;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(live_blocks_keep_within_the_budget_of_mappings),
      cmocka_unit_test(accesses_past_the_end_and_after_the_free_fault),
      cmocka_unit_test(a_refusal_costs_a_block_and_no_more),
  };
  return SUITE_RUN(tests);
}
