// SPDX-License-Identifier: MIT
//
// mend_malloc and its zeroing siblings: alignment, usable size, zero sizes, contents that stay,
// sizes that cannot be, and a block of more than 4 GiB.
#include "../support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../support/resident.h"
#include "../support/sizes.h"
#include "mend/mend.h"

static void every_size_is_aligned_and_wholly_usable(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    size_t size = test_sizes[i];
    void *block = mend_malloc(size);
    assert_non_null(block);
    assert_true(is_aligned(block, 16));
    size_t usable = mend_malloc_usable_size(block);
    assert_true(usable >= size);
    pattern_fill(block, usable, size);
    assert_int_equal(pattern_difference(block, usable, size), usable);
    mend_free(block);
  }
}

static void small_sizes_waste_little(void **state)
{
  (void)state;
  for (size_t size = 1; size <= 4096; size++) {
    size_t usable = mend_good_size(size);
    size_t most = size / 7 > 15 ? size / 7 : 15;  // 12.5 % of the block is a seventh of the size
    assert_in_range(usable, size, size + most);
  }
}

static void zero_bytes_give_unique_blocks(void **state)
{
  enum { COUNT = 1000 };
  (void)state;
  static void *blocks[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    blocks[i] = mend_malloc(0);
    assert_non_null(blocks[i]);
    assert_true(is_aligned(blocks[i], 16));
    for (size_t j = 0; j < i; j++) assert_ptr_not_equal(blocks[i], blocks[j]);
  }
  for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
}

static void live_blocks_keep_their_contents(void **state)
{
  enum { COUNT = 20000 };
  (void)state;
  static unsigned char *blocks[COUNT];
  static size_t sizes[COUNT];
  struct random random = {random_seed()};
  for (size_t i = 0; i < COUNT; i++) {
    sizes[i] = random_size(&random, 8 * KIB);
    blocks[i] = mend_malloc(sizes[i]);
    assert_non_null(blocks[i]);
    pattern_fill(blocks[i], sizes[i], i);
  }
  for (size_t i = 0; i < COUNT; i += 2) mend_free(blocks[i]);
  for (size_t i = 0; i < COUNT; i += 2) {
    sizes[i] = random_size(&random, 8 * KIB);
    blocks[i] = mend_malloc(sizes[i]);
    assert_non_null(blocks[i]);
    pattern_fill(blocks[i], sizes[i], i);
  }
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(pattern_difference(blocks[i], sizes[i], i), sizes[i]);
    mend_free(blocks[i]);
  }
}

static const size_t impossible_sizes[] = {
    SIZE_MAX,        SIZE_MAX - 1,          SIZE_MAX - 15,       SIZE_MAX - 16,
    SIZE_MAX - 4095, SIZE_MAX - 4096,       SIZE_MAX - 64 * KIB, SIZE_MAX - 2 * MIB,
    SIZE_MAX / 2,    SIZE_MAX / 2 + 1,      (size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX - 4096,
    (size_t)1 << 63, ((size_t)1 << 63) + 1, (size_t)1 << 62,
};
enum { IMPOSSIBLE_COUNT = sizeof impossible_sizes / sizeof impossible_sizes[0] };

static void assert_refused(const void *block)
{
  assert_null(block);
  assert_int_equal(errno, ENOMEM);
  errno = 0;
}

static void impossible_sizes_are_refused(void **state)
{
  (void)state;
  errno = 0;
  for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
    size_t size = opaque_size(impossible_sizes[i]);
    assert_refused(mend_malloc(size));
    assert_refused(mend_zalloc(size));
    assert_refused(mend_allocate(size));
    assert_refused(mend_malloc_at_least(size, NULL));
    assert_refused(mend_calloc(size, 1));
    assert_refused(mend_calloc(1, size));
    assert_refused(mend_valloc(size));
    assert_refused(mend_pvalloc(size));
    assert_refused(mend_realloc(NULL, size));
    assert_int_equal(mend_good_size(size), size);
  }
}

static void products_that_overflow_are_refused(void **state)
{
  (void)state;
  size_t half = opaque_size((size_t)1 << 32);
  errno = 0;
  assert_refused(mend_calloc(half, half));
  assert_refused(mend_calloc(half + 1, half));
  assert_refused(mend_calloc(opaque_size(SIZE_MAX), 2));
  assert_refused(mend_calloc(2, opaque_size(SIZE_MAX)));
  assert_refused(mend_calloc(opaque_size(SIZE_MAX), opaque_size(SIZE_MAX)));
  assert_refused(mend_calloc(opaque_size(SIZE_MAX / 16 + 1), 16));  // the product wraps to 0
  assert_refused(mend_calloc(opaque_size(SIZE_MAX / 16 + 2), 16));  // ... to 16
  assert_refused(mend_reallocarray(NULL, half, half));
  assert_refused(mend_reallocarray(NULL, opaque_size(SIZE_MAX / 16 + 2), 16));
}

// Fills and frees first, so that the zeroed blocks are made of used memory.
static void calloc_and_zalloc_clear_reused_memory(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    size_t size = test_sizes[i];
    for (int round = 0; round < 3; round++) {
      void *block = round == 0   ? mend_malloc(size)
                    : round == 1 ? mend_calloc(1, size)
                                 : mend_zalloc(size);
      assert_non_null(block);
      assert_true(is_aligned(block, 16));
      if (round > 0) assert_true(is_zero(block, size));
      memset(block, 0xa5, mend_malloc_usable_size(block));
      mend_free(block);
    }
  }
}

static void calloc_multiplies(void **state)
{
  (void)state;
  unsigned char *block = mend_calloc(1000, 37);
  assert_non_null(block);
  assert_true(mend_malloc_usable_size(block) >= 37000);
  assert_true(is_zero(block, 37000));
  mend_free(block);
  size_t most = opaque_size(SIZE_MAX);
  void *empty[3] = {mend_calloc(0, 8), mend_calloc(8, 0), mend_calloc(0, most)};
  for (size_t i = 0; i < 3; i++) {
    assert_non_null(empty[i]);
    mend_free(empty[i]);
  }
}

static void skip_where_shadows_grow(void)
{
  if (!test_is_instrumented()) return;
  printf("not run under this tool: its shadow of a block of 4 GiB would be resident\n");
  skip();
}

static void one_block_holds_more_than_4_gib(void **state)
{
  (void)state;
  skip_where_shadows_grow();
  size_t size = 5 * GIB + 12345;
  unsigned char *block = mend_malloc(size);
  assert_non_null(block);
  assert_true(mend_malloc_usable_size(block) >= size);
  pattern_fill(block, 4096, 1);
  pattern_fill(block + 4 * GIB, 4096, 2);
  pattern_fill(block + size - 4096, 4096, 3);
  assert_int_equal(pattern_difference(block, 4096, 1), 4096);
  block = mend_realloc(block, size + GIB);
  assert_non_null(block);
  assert_int_equal(pattern_difference(block, 4096, 1), 4096);
  assert_int_equal(pattern_difference(block + 4 * GIB, 4096, 2), 4096);
  assert_int_equal(pattern_difference(block + size - 4096, 4096, 3), 4096);
  mend_free(block);
}

static void a_zeroed_block_of_more_than_4_gib_is_not_touched(void **state)
{
  (void)state;
  skip_where_shadows_grow();
  size_t before = resident_bytes();
  for (int round = 0; round < 2; round++) {  // the second time of used memory
    size_t size = 4 * GIB + 4096;
    unsigned char *block = mend_calloc(size / 4096, 4096);
    assert_non_null(block);
    assert_true(is_zero(block, 4096));
    assert_true(is_zero(block + 4 * GIB, 4096));
    resident_check_growth("a zeroed block of 4 GiB", before, 16 * MIB);
    memset(block + GIB, 1, 4096);
    mend_free(block);
  }
}

int main(void)
{
  resident_start();
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_size_is_aligned_and_wholly_usable),
      cmocka_unit_test(small_sizes_waste_little),
      cmocka_unit_test(zero_bytes_give_unique_blocks),
      cmocka_unit_test(live_blocks_keep_their_contents),
      cmocka_unit_test(impossible_sizes_are_refused),
      cmocka_unit_test(products_that_overflow_are_refused),
      cmocka_unit_test(calloc_and_zalloc_clear_reused_memory),
      cmocka_unit_test(calloc_multiplies),
      cmocka_unit_test(one_block_holds_more_than_4_gib),
      cmocka_unit_test(a_zeroed_block_of_more_than_4_gib_is_not_touched),
  };
  return SUITE_RUN(tests);
}
