// SPDX-License-Identifier: MIT
//
// Arithmetic on bits, each function against the slow and obvious way to the same answer.
#include "../support/suite.h"

#include "base/bits.h"

enum { ROUNDS = 20000 };

// A random number of a random length in bits.
static uint64_t any_length(struct random *random)
{
  return random_next(random) >> random_below(random, 64);
}

static void exactly_the_64_powers_of_two_are_powers_of_two(void **state)
{
  (void)state;
  assert_false(bits_is_power_of_two(0));
  for (unsigned shift = 0; shift < 64; shift++) {
    size_t power = (size_t)1 << shift;
    assert_true(bits_is_power_of_two(power));
    for (unsigned other = 0; other < shift; other++) {
      assert_false(bits_is_power_of_two(power | (size_t)1 << other));
    }
  }
}

static void aligning_gives_the_nearest_multiple_on_either_side(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (unsigned i = 0; i < ROUNDS; i++) {
    size_t alignment = (size_t)1 << random_below(&random, 40);
    size_t value = any_length(&random) >> 1;
    size_t down = value / alignment * alignment;
    size_t up = down == value ? value : down + alignment;
    assert_int_equal(bits_align_down(value, alignment), down);
    assert_int_equal(bits_align_up(value, alignment), up);
  }
}

static void the_highest_and_lowest_bits_are_found(void **state)
{
  (void)state;
  for (unsigned high = 0; high < 64; high++) {
    for (unsigned low = 0; low <= high; low++) {
      uint64_t ends = UINT64_C(1) << high | UINT64_C(1) << low;
      uint64_t all = ends;
      for (unsigned i = low; i <= high; i++) all |= UINT64_C(1) << i;
      assert_int_equal(bits_highest(ends), high);
      assert_int_equal(bits_lowest(ends), low);
      assert_int_equal(bits_highest(all), high);
      assert_int_equal(bits_lowest(all), low);
    }
  }
}

static void rotating_is_rotating_by_one_as_often(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  uint64_t value = random_next(&random);
  uint64_t rotated = value;
  for (unsigned by = 1; by < 64; by++) {
    rotated = rotated / 2 + (rotated % 2 << 63);
    assert_int_equal(bits_rotate_right(value, by), rotated);
  }
}

static void a_low_mask_has_that_many_bits_and_64_at_most(void **state)
{
  (void)state;
  uint64_t mask = 0;
  for (unsigned count = 0; count < 64; count++) {
    assert_int_equal(bits_low_mask(count), mask);
    mask = mask * 2 + 1;
  }
  assert_int_equal(bits_low_mask(64), UINT64_MAX);
  assert_int_equal(bits_low_mask(65), UINT64_MAX);
  assert_int_equal(bits_low_mask(UINT32_MAX), UINT64_MAX);
}

static void the_next_power_of_two_is_the_first_that_is_large_enough(void **state)
{
  (void)state;
  assert_int_equal(bits_next_power_of_two(0), 1);
  size_t power = 1;
  for (size_t value = 1; value < 70000; value++) {
    if (power < value) power *= 2;
    assert_int_equal(bits_next_power_of_two(value), power);
  }
  size_t half = SIZE_MAX / 2 + 1;
  assert_int_equal(bits_next_power_of_two(half), half);
  assert_int_equal(bits_next_power_of_two(half - 1), half);
  assert_int_equal(bits_next_power_of_two(half / 2 + 1), half);
}

static void a_product_is_exact_or_refused(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (unsigned i = 0; i < ROUNDS; i++) {
    size_t a = any_length(&random);
    size_t b = any_length(&random);
    size_t product = 0;
    bool fits = a == 0 || b <= SIZE_MAX / a;
    assert_int_equal(bits_multiply(a, b, &product), fits);
    if (fits) assert_int_equal(product, a * b);
  }
  size_t product;
  size_t root = (size_t)1 << 32;
  assert_false(bits_multiply(root, root, &product));
  assert_true(bits_multiply(root, root - 1, &product));
  assert_true(bits_multiply(SIZE_MAX, 1, &product));
  assert_true(bits_multiply(0, SIZE_MAX, &product));
  assert_int_equal(product, 0);
}

static void the_smaller_and_the_larger_of_two_are_told_apart(void **state)
{
  (void)state;
  assert_int_equal(bits_smaller(3, SIZE_MAX), 3);
  assert_int_equal(bits_smaller(SIZE_MAX, 3), 3);
  assert_int_equal(bits_larger(3, SIZE_MAX), SIZE_MAX);
  assert_int_equal(bits_larger(SIZE_MAX, 3), SIZE_MAX);
  assert_int_equal(bits_smaller(7, 7), 7);
  assert_int_equal(bits_larger(7, 7), 7);
}

static void the_largest_size_keeps_pointers_subtractable(void **state)
{
  (void)state;
  assert_int_equal(BITS_MAX_SIZE, PTRDIFF_MAX);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(exactly_the_64_powers_of_two_are_powers_of_two),
      cmocka_unit_test(aligning_gives_the_nearest_multiple_on_either_side),
      cmocka_unit_test(the_highest_and_lowest_bits_are_found),
      cmocka_unit_test(rotating_is_rotating_by_one_as_often),
      cmocka_unit_test(a_low_mask_has_that_many_bits_and_64_at_most),
      cmocka_unit_test(the_next_power_of_two_is_the_first_that_is_large_enough),
      cmocka_unit_test(a_product_is_exact_or_refused),
      cmocka_unit_test(the_smaller_and_the_larger_of_two_are_told_apart),
      cmocka_unit_test(the_largest_size_keeps_pointers_subtractable),
  };
  return SUITE_RUN(tests);
}
