// SPDX-License-Identifier: MIT
//
// Scratch memory: pieces are zeroed, aligned and apart; what is never touched costs nothing; where
// there is little address space, there is as much as can be had.
#define _GNU_SOURCE 1
#include "child.h"

#include "../support/resident.h"
#include "os/scratch.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
  (void)state;
  struct os_scratch scratch;
  char *pieces[100];
  assert_true(os_scratch_begin(&scratch));
  for (size_t i = 0; i < 100; i++) {
    pieces[i] = os_scratch_take(&scratch, i * 1000);
    assert_true(pieces[i] != NULL && is_aligned(pieces[i], 64));
    assert_true(is_zero(pieces[i], i * 1000));
    pattern_fill(pieces[i], i * 1000, i);
  }
  for (size_t i = 0; i < 100; i++) {
    assert_int_equal(pattern_difference(pieces[i], i * 1000, i), i * 1000);
  }
  os_scratch_end(&scratch);
}

static void what_does_not_fit_is_refused(void **state)
{
  (void)state;
  struct os_scratch scratch;
  assert_true(os_scratch_begin(&scratch));
  assert_null(os_scratch_take(&scratch, scratch.bytes + 1));
  assert_null(os_scratch_take_array(&scratch, SIZE_MAX / 2, 4));
  assert_non_null(os_scratch_take_array(&scratch, 1000, 4));
  os_scratch_end(&scratch);
}

static void take_under_limit(void)
{
  struct os_scratch scratch;
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){GIB, GIB}) == 0);
  CHECK(os_scratch_begin(&scratch));
  CHECK(scratch.bytes < GIB);
  CHECK(os_scratch_take(&scratch, MIB) != NULL);
}

static void it_is_smaller_where_there_are_few_addresses(void **state)
{
  (void)state;
  if (!test_is_instrumented()) child_check(take_under_limit);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(it_is_smaller_where_there_are_few_addresses),
  };
  return SUITE_RUN(tests);
}
