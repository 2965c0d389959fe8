// SPDX-License-Identifier: MIT
//
// The size classes, exhaustively: every request from 0 to 64 KiB against a list of sizes that is
// built here from the rule as it is told, not from the library's arithmetic.
#include "../support/suite.h"

#include "base/size_class.h"

static size_t sizes[200];
static size_t size_count;

// Steps of 16 up to 128, then eight to a doubling, up to 64 KiB.
static int build_sizes(void **state)
{
  (void)state;
  for (size_t size = 16; size <= 128; size += 16) sizes[size_count++] = size;
  for (size_t base = 128; base < 65536; base *= 2) {
    for (size_t step = 1; step <= 8; step++) sizes[size_count++] = base + base / 8 * step;
  }
  return 0;
}

// The first size that is large enough.
static unsigned class_by_search(size_t size)
{
  unsigned size_class = 0;
  while (sizes[size_class] < size) size_class++;
  return size_class;
}

static void there_are_as_many_classes_as_the_rule_gives(void **state)
{
  (void)state;
  assert_int_equal(size_count, SIZE_CLASS_COUNT);
  assert_int_equal(sizes[SIZE_CLASS_COUNT - 1], SIZE_CLASS_MAX_BYTES);
  assert_int_equal(sizes[SIZE_CLASS_SMALL_COUNT - 1], SIZE_CLASS_SMALL_BYTES);
}

static void every_class_has_the_size_that_the_rule_gives(void **state)
{
  (void)state;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    assert_int_equal(size_class_bytes(i), sizes[i]);
    assert_int_equal(size_class_bytes(i) % 16, 0);
  }
}

static void every_size_has_the_smallest_class_that_holds_it(void **state)
{
  (void)state;
  for (size_t size = 0; size <= SIZE_CLASS_MAX_BYTES; size++) {
    assert_int_equal(size_class_of(size), class_by_search(size));
  }
}

static void the_table_of_small_sizes_agrees(void **state)
{
  (void)state;
  for (size_t size = 0; size <= SIZE_CLASS_SMALL_BYTES; size++) {
    assert_int_equal(size_class_of(size), class_by_search(size));
  }
}

static void no_size_loses_more_than_15_bytes_or_an_eighth(void **state)
{
  (void)state;
  for (size_t size = 1; size <= SIZE_CLASS_MAX_BYTES; size++) {
    size_t loss = size_class_bytes(size_class_of(size)) - size;
    assert_true(loss <= 15 || 8 * loss <= size);
  }
}

static void a_multiple_of_a_power_of_two_has_a_class_that_is_one(void **state)
{
  (void)state;
  for (size_t alignment = 16; alignment <= SIZE_CLASS_MAX_BYTES; alignment *= 2) {
    for (size_t size = alignment; size <= SIZE_CLASS_MAX_BYTES; size += alignment) {
      assert_int_equal(size_class_bytes(size_class_of(size)) % alignment, 0);
    }
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(there_are_as_many_classes_as_the_rule_gives),
      cmocka_unit_test(every_class_has_the_size_that_the_rule_gives),
      cmocka_unit_test(every_size_has_the_smallest_class_that_holds_it),
      cmocka_unit_test(the_table_of_small_sizes_agrees),
      cmocka_unit_test(no_size_loses_more_than_15_bytes_or_an_eighth),
      cmocka_unit_test(a_multiple_of_a_power_of_two_has_a_class_that_is_one),
  };
  return cmocka_run_group_tests(tests, build_sizes, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
