// SPDX-License-Identifier: MIT
//
// What the standard family lacks: mend_allocate, mend_malloc_at_least, mend_good_size,
// mend_expand, mend_owns, mend_collect.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../support/sizes.h"
#include "mend/mend.h"

static void allocate_gives_null_for_nothing(void **state)
{
  (void)state;
  errno = 4711;
  assert_null(mend_allocate(0));
  assert_int_equal(errno, 4711);
  for (size_t i = 1; i < TEST_SIZE_COUNT; i++) {
    void *block = mend_allocate(test_sizes[i]);
    assert_non_null(block);
    assert_true(mend_malloc_usable_size(block) >= test_sizes[i]);
    mend_free(block);
  }
}

static void at_least_tells_the_usable_size(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    size_t got = 0;
    void *block = mend_malloc_at_least(test_sizes[i], &got);
    assert_non_null(block);
    assert_int_equal(got, mend_malloc_usable_size(block));
    assert_true(got >= test_sizes[i]);
    pattern_fill(block, got, i);
    mend_free(block);
    mend_free(mend_malloc_at_least(test_sizes[i], NULL));
  }
  size_t untouched = 4711;
  assert_null(mend_malloc_at_least(opaque_size(SIZE_MAX), &untouched));
  assert_int_equal(untouched, 4711);
}

static void assert_good(size_t size)
{
  size_t good = mend_good_size(size);
  void *block = mend_malloc(size);
  assert_non_null(block);
  assert_int_equal(good, mend_malloc_usable_size(block));
  mend_free(block);
  assert_int_equal(mend_good_size(good), good);  // asking for all of it wastes nothing
}

static void good_size_is_the_usable_size_of_malloc(void **state)
{
  (void)state;
  for (size_t size = 0; size <= 9000; size++) assert_good(size);
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) assert_good(test_sizes[i]);
  for (size_t size = 1; size < 100 * MIB; size += size / 9 + 1) assert_good(size);
}

static void expand_never_moves_and_never_shrinks(void **state)
{
  (void)state;
  errno = 4711;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    for (size_t j = 0; j < TEST_SIZE_COUNT; j++) {
      unsigned char *block = mend_malloc(test_sizes[i]);
      assert_non_null(block);
      size_t before = mend_malloc_usable_size(block);
      size_t edge = before < 512 ? before : 512;
      pattern_fill(block, edge, i);
      void *expanded = mend_expand(block, test_sizes[j]);
      size_t after = mend_malloc_usable_size(block);
      assert_true(after >= before);
      if (test_sizes[j] <= before) assert_non_null(expanded);
      if (expanded != NULL) {
        assert_ptr_equal(expanded, block);
        assert_true(after >= test_sizes[j]);
        if (after > 0) block[after - 1] = block[after - 1];
      } else {
        assert_int_equal(after, before);
      }
      assert_int_equal(pattern_difference(block, edge, i), edge);
      mend_free(block);
    }
  }
  assert_int_equal(errno, 4711);
}

static void expand_refuses_what_cannot_be(void **state)
{
  (void)state;
  errno = 4711;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    void *block = mend_malloc(test_sizes[i]);
    assert_null(mend_expand(block, opaque_size(SIZE_MAX)));
    assert_null(mend_expand(block, opaque_size(SIZE_MAX - 4096)));
    assert_null(mend_expand(block, opaque_size((size_t)PTRDIFF_MAX)));
    mend_free(block);
  }
  assert_int_equal(errno, 4711);
}

static int global_object;

static void owns_its_own_blocks(void **state)
{
  (void)state;
  for (size_t i = 1; i < TEST_SIZE_COUNT; i++) {
    unsigned char *block = mend_malloc(test_sizes[i]);
    assert_true(mend_owns(block));
    assert_true(mend_owns(block + test_sizes[i] / 2));
    assert_true(mend_owns(block + test_sizes[i] - 1));
    mend_free(block);
  }
}

static void does_not_own_foreign_addresses(void **state)
{
  (void)state;
  int local = 0;
  void *mapped = mmap(NULL, 4 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(mapped != MAP_FAILED);
  assert_false(mend_owns(NULL));
  assert_false(mend_owns(&local));
  assert_false(mend_owns(&global_object));
  assert_false(mend_owns("text"));
  assert_false(mend_owns(mapped));
  assert_false(mend_owns((char *)mapped + 2 * MIB));
  for (int bit = 0; bit < 64; bit++) {
    // Any address may be asked; on none of these can a block be.
    uintptr_t high = UINTPTR_MAX - ((uintptr_t)1 << bit) + 1;
    assert_false(mend_owns((void *)(high | (uintptr_t)1 << 63)));
    if (bit < 16) assert_false(mend_owns((void *)((uintptr_t)1 << bit)));
  }
  assert_false(mend_owns((void *)UINTPTR_MAX));
  munmap(mapped, 4 * MIB);
  if (!mend_is_redirected()) {
    void *foreign = malloc(1000);
    assert_false(mend_owns(foreign));
    free(foreign);
  }
}

static void does_not_own_a_large_block_that_was_freed(void **state)
{
  (void)state;
  char *block = mend_malloc(64 * MIB);
  assert_true(mend_owns(block));
  char *inside = opaque(block + 32 * MIB);
  mend_free(block);
  mend_collect(true);
  assert_false(mend_owns(inside));
}

static void collect_leaves_live_blocks_alone(void **state)
{
  (void)state;
  static void *blocks[TEST_SIZE_COUNT];
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    blocks[i] = mend_malloc(test_sizes[i]);
    pattern_fill(blocks[i], test_sizes[i], i);
  }
  for (size_t i = 0; i < TEST_SIZE_COUNT; i += 2) mend_free(blocks[i]);
  mend_collect(false);
  mend_collect(true);
  for (size_t i = 1; i < TEST_SIZE_COUNT; i += 2) {
    assert_int_equal(pattern_difference(blocks[i], test_sizes[i], i), test_sizes[i]);
    mend_free(blocks[i]);
  }
  mend_collect(true);
  void *block = mend_zalloc(100);  // the heap still works after everything went back
  assert_non_null(block);
  assert_true(is_zero(block, 100));
  mend_free(block);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(allocate_gives_null_for_nothing),
      cmocka_unit_test(at_least_tells_the_usable_size),
      cmocka_unit_test(good_size_is_the_usable_size_of_malloc),
      cmocka_unit_test(expand_never_moves_and_never_shrinks),
      cmocka_unit_test(expand_refuses_what_cannot_be),
      cmocka_unit_test(owns_its_own_blocks),
      cmocka_unit_test(does_not_own_foreign_addresses),
      cmocka_unit_test(does_not_own_a_large_block_that_was_freed),
      cmocka_unit_test(collect_leaves_live_blocks_alone),
  };
  return SUITE_RUN(tests);
}
