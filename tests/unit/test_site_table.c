// SPDX-License-Identifier: MIT
//
// The table of stacks: one number for each, however many threads ask at once; sums; and what
// happens when there is no memory, which is the test's own.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "core/metadata.h"
#include "track/site_table.h"
#include "track/tables.h"

enum { THREADS = 4, STACKS = 3000 };

// ---------------------------------------------------------------------------------------------
// In place of core/metadata.c.

struct metadata_extent metadata_extent;
static _Atomic(size_t) bytes_left = SIZE_MAX;

void *metadata_allocate(size_t bytes)
{
  if (bytes > bytes_left) return NULL;
  bytes_left -= bytes;
  void *piece;
  CHECK(posix_memalign(&piece, 4096, bytes) == 0);
  return memset(piece, 0, bytes);
}

void metadata_free(void *piece, size_t bytes)
{
  bytes_left += bytes;
  free(piece);
}

bool metadata_may_hold(const void *address, size_t bytes)
{
  (void)address, (void)bytes;
  return false;
}

size_t metadata_bytes(void)
{
  return 0;
}

bool metadata_lock_is_mine(void)
{
  return false;
}

void metadata_after_fork(void)
{
}

// ---------------------------------------------------------------------------------------------

// The i-th of some stacks.
static uint32_t find(size_t i)
{
  uintptr_t addresses[SITE_DEPTH];
  size_t depth = 1 + i % SITE_DEPTH;
  for (size_t at = 0; at < depth; at++) addresses[at] = 0x1000 + i / SITE_DEPTH + at;
  return site_table_find(addresses, depth);
}

static int start(void **state)
{
  (void)state;
  bytes_left = 0;
  CHECK(!site_table_start());
  site_table_each(NULL, NULL);  // there are none
  bytes_left = SIZE_MAX;
  CHECK(site_table_start() && site_table_start());
  return 0;
}

static void a_stack_has_one_number_and_is_kept(void **state)
{
  (void)state;
  for (size_t i = 0; i < 500; i++) {
    uint32_t number = find(i);
    assert_true(number != 0);
    assert_int_equal(find(i), number);
    const struct site *site = site_of(number);
    assert_int_equal(site->depth, 1 + i % SITE_DEPTH);
    for (size_t at = 0; at < site->depth; at++) {
      assert_int_equal(site->addresses[at], 0x1000 + i / SITE_DEPTH + at);
    }
    for (size_t j = i > 40 ? i - 40 : 0; j < i; j++) assert_int_not_equal(find(j), number);
  }
}

static void *find_all(void *numbers)
{
  uint32_t *found = numbers;
  for (size_t i = 0; i < STACKS; i++) found[i] = find(i + 10000);
  return NULL;
}

static void threads_find_the_same_numbers(void **state)
{
  (void)state;
  static uint32_t numbers[THREADS][STACKS];
  threads_run(THREADS, find_all, numbers, sizeof numbers[0]);
  for (size_t i = 0; i < THREADS; i++) {
    assert_memory_equal(numbers[i], numbers[0], sizeof numbers[0]);
  }
}

static void *add_sums(void *number)
{
  const struct site_sums sums = {1, 10, 3 << SITE_COUNT_SHIFT, 30};
  for (size_t i = 0; i < 1000; i++) {
    site_add_exact(*(uint32_t *)number, 2, 5);
    site_add_sample(*(uint32_t *)number, &sums);
  }
  return NULL;
}

static void sums_of_both_modes_are_added(void **state)
{
  (void)state;
  uint32_t number = find(20000);
  threads_run(THREADS, add_sums, &number, 0);
  site_add_exact(0, 1, 1);  // of no stack
  site_add_sample(0, &(struct site_sums){1, 1, 1, 1});
  struct site_sums total = site_total(site_of(number));
  assert_int_equal(total.samples, THREADS * 3000);
  assert_int_equal(total.sampled_bytes, THREADS * 15000);
  assert_int_equal(total.count_parts >> SITE_COUNT_SHIFT, THREADS * 5000);
  assert_int_equal(total.bytes, THREADS * 35000);
}

struct visits {
  size_t count;
  uint32_t wanted;
  size_t found;
};

static void count_visit(uint32_t number, struct site *site, void *argument)
{
  struct visits *visits = argument;
  CHECK(site == site_of(number));
  visits->count++;
  visits->found += number == visits->wanted;
}

static void each_site_is_visited_once(void **state)
{
  (void)state;
  struct visits before = {0, find(1), 0};
  site_table_each(count_visit, &before);
  assert_int_equal(before.found, 1);
  struct visits after = {0, find(30000), 0};
  site_table_each(count_visit, &after);
  assert_int_equal(after.found, 1);
  assert_int_equal(after.count, before.count + 1);
}

// Last, since the table stays full.
static void stacks_that_do_not_fit_are_counted(void **state)
{
  (void)state;
  bytes_left = TRACK_PIECE_BYTES;  // one more piece, in which hundreds fit
  size_t i = 100000;
  while (find(i) != 0) i++;
  assert_true(i >= 100000 + 500 && i < 100000 + 10000);
  uint64_t lost = site_table_lost();
  assert_true(lost > 0);
  assert_int_equal(find(i), 0);
  assert_int_equal(site_table_lost(), lost + 1);
  assert_int_not_equal(find(100000), 0);
}

static int finish(void **state)
{
  (void)state;
  site_table_assert_valid();
  return 0;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stack_has_one_number_and_is_kept),
      cmocka_unit_test(threads_find_the_same_numbers),
      cmocka_unit_test(sums_of_both_modes_are_added),
      cmocka_unit_test(each_site_is_visited_once),
      cmocka_unit_test(stacks_that_do_not_fit_are_counted),
  };
  return cmocka_run_group_tests(tests, start, finish) == 0 ? TEST_PASS : TEST_FAIL;
}
