// SPDX-License-Identifier: MIT
//
// The aligned allocations: every power of two up to 1 GiB, mend_aligned_alloc, mend_memalign,
// mend_posix_memalign, mend_valloc, mend_pvalloc; what they refuse and how.
#include "../support/suite.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mend/mend.h"

static const size_t sizes[] = {0, 1, 16, 100, 1000, 4096, 5000, 65536, 70000, 300000, 3000000};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static void assert_holds(unsigned char *block, size_t alignment, size_t size)
{
  assert_non_null(block);
  assert_true(is_aligned(block, alignment));
  assert_true(is_aligned(block, 16));
  size_t usable = mend_malloc_usable_size(block);
  assert_true(usable >= size);
  if (usable == 0) return;
  block[0] = 1;
  block[size / 2] = 2;
  block[usable - 1] = 3;
}

static void every_power_of_two_is_kept(void **state)
{
  (void)state;
  for (size_t alignment = 1; alignment <= 64 * MIB; alignment *= 2) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
      void *one = mend_aligned_alloc(alignment, sizes[i]);
      void *two = mend_memalign(alignment, sizes[i]);
      assert_holds(one, alignment, sizes[i]);
      assert_holds(two, alignment, sizes[i]);
      assert_ptr_not_equal(one, two);
      mend_free(one);
      mend_free(two);
    }
  }
}

static void huge_alignments_are_kept(void **state)
{
  (void)state;
  for (size_t alignment = 128 * MIB; alignment <= GIB; alignment *= 2) {
    unsigned char *block = mend_aligned_alloc(alignment, 100);
    assert_holds(block, alignment, 100);
    mend_free(block);
  }
}

static void many_aligned_blocks_live_together(void **state)
{
  enum { COUNT = 1000 };
  (void)state;
  static unsigned char *blocks[COUNT];
  static size_t bytes[COUNT];
  struct random random = {random_seed()};
  for (size_t i = 0; i < COUNT; i++) {
    size_t alignment = (size_t)16 << random_below(&random, 13);
    bytes[i] = random_size(&random, 10000);
    blocks[i] = mend_aligned_alloc(alignment, bytes[i]);
    assert_holds(blocks[i], alignment, bytes[i]);
    pattern_fill(blocks[i], bytes[i], i);
  }
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(pattern_difference(blocks[i], bytes[i], i), bytes[i]);
    mend_free(blocks[i]);
  }
}

static void aligned_alloc_refuses_other_numbers(void **state)
{
  static const size_t bad[] = {0, 3, 5, 6, 7, 24, 48, 4095, 4097, SIZE_MAX, SIZE_MAX - 1};
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    errno = 0;
    assert_null(mend_aligned_alloc(opaque_size(bad[i]), 100));
    assert_int_equal(errno, EINVAL);
  }
}

static void memalign_rounds_other_numbers_up(void **state)
{
  static const size_t given[] = {0, 3, 17, 24, 33, 100, 4095, 4097, 100000};
  static const size_t kept[] = {16, 16, 32, 32, 64, 128, 4096, 8192, 131072};
  (void)state;
  for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
    void *block = mend_memalign(given[i], 500);
    assert_holds(block, kept[i], 500);
    mend_free(block);
  }
}

static void posix_memalign_answers_by_its_result(void **state)
{
  static const size_t bad[] = {0, 1, 2, 3, 4, 7, 9, 12, 24, 40, 4095, SIZE_MAX};
  (void)state;
  void *const untouched = &state;
  void *block = untouched;
  errno = 4711;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(mend_posix_memalign(&block, bad[i], 100), EINVAL);
    assert_ptr_equal(block, untouched);
  }
  assert_int_equal(errno, 4711);
  assert_int_equal(mend_posix_memalign(&block, 64, SIZE_MAX - 32), ENOMEM);
  assert_int_equal(mend_posix_memalign(&block, 8, (size_t)PTRDIFF_MAX), ENOMEM);
  assert_ptr_equal(block, untouched);
  for (size_t alignment = sizeof(void *); alignment <= 4 * MIB; alignment *= 2) {
    assert_int_equal(mend_posix_memalign(&block, alignment, 1000), 0);
    assert_holds(block, alignment, 1000);
    mend_free(block);
  }
  assert_int_equal(mend_posix_memalign(&block, 64, 0), 0);
  mend_free(block);
}

static void sizes_and_alignments_that_overflow_are_refused(void **state)
{
  (void)state;
  for (size_t alignment = 1; alignment != 0; alignment *= 2) {
    errno = 0;
    assert_null(mend_aligned_alloc(alignment, opaque_size(SIZE_MAX - alignment / 2)));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(mend_aligned_alloc(alignment, opaque_size((size_t)PTRDIFF_MAX)));
    assert_int_equal(errno, ENOMEM);
  }
  errno = 0;
  assert_null(mend_aligned_alloc(opaque_size((size_t)1 << 63), 1));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_null(mend_memalign(opaque_size(SIZE_MAX), 1));
  assert_true(errno == ENOMEM || errno == EINVAL);
}

static void valloc_and_pvalloc_use_os_pages(void **state)
{
  (void)state;
  size_t os_page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    void *one = mend_valloc(sizes[i]);
    assert_holds(one, os_page, sizes[i]);
    void *two = mend_pvalloc(sizes[i]);
    size_t rounded = (sizes[i] + os_page - 1) / os_page * os_page;
    assert_holds(two, os_page, rounded > 0 ? rounded : os_page);
    mend_free(one);
    mend_free(two);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_power_of_two_is_kept),
      cmocka_unit_test(huge_alignments_are_kept),
      cmocka_unit_test(many_aligned_blocks_live_together),
      cmocka_unit_test(aligned_alloc_refuses_other_numbers),
      cmocka_unit_test(memalign_rounds_other_numbers_up),
      cmocka_unit_test(posix_memalign_answers_by_its_result),
      cmocka_unit_test(sizes_and_alignments_that_overflow_are_refused),
      cmocka_unit_test(valloc_and_pvalloc_use_os_pages),
  };
  return SUITE_RUN(tests);
}
