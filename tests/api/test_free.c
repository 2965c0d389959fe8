// SPDX-License-Identifier: MIT
//
// mend_free and the frees that are told a size: errno is preserved, NULL is allowed, what is freed
// is reused, from whichever thread it is freed.
#include "../support/suite.h"

#include <errno.h>

#include "../support/sizes.h"
#include "mend/mend.h"

enum { MARK = 4711 };  // no errno of any system call

static void errno_is_preserved(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    void *block = mend_malloc(test_sizes[i]);
    void *sized = mend_malloc(test_sizes[i]);
    void *aligned = mend_aligned_alloc(64, test_sizes[i]);
    void *old = mend_malloc(test_sizes[i]);
    errno = MARK;
    mend_free(block);
    assert_int_equal(errno, MARK);
    mend_free_sized(sized, test_sizes[i]);
    assert_int_equal(errno, MARK);
    mend_free_aligned_sized(aligned, 64, test_sizes[i]);
    assert_int_equal(errno, MARK);
    mend_cfree(old);
    assert_int_equal(errno, MARK);
  }
}

static void errno_is_preserved_when_memory_goes_back(void **state)
{
  enum { COUNT = 500 };
  (void)state;
  static void *blocks[COUNT];
  for (size_t size = 64; size <= 256 * KIB; size *= 8) {
    for (size_t i = 0; i < COUNT; i++) blocks[i] = mend_malloc(size);
    errno = MARK;
    for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
    mend_collect(true);
    assert_int_equal(errno, MARK);
  }
}

static void null_is_allowed(void **state)
{
  (void)state;
  errno = MARK;
  mend_free(NULL);
  mend_free_sized(NULL, 10);
  mend_free_aligned_sized(NULL, 64, 10);
  mend_cfree(NULL);
  mend_heap_destroy(NULL);
  assert_int_equal(errno, MARK);
  assert_int_equal(mend_malloc_usable_size(NULL), 0);
}

static void freed_memory_is_used_again(void **state)
{
  enum { COUNT = 200 };
  (void)state;
  static void *blocks[COUNT];
  struct mend_mallinfo2 first = {0};
  // From level 3 on up to 256 freed blocks of each class wait before any is used again.
  int settled = test_harden_level() >= 3 ? 100 : 1;
  for (int round = 0; round < settled + 50; round++) {
    for (size_t i = 0; i < COUNT; i++) {
      blocks[i] = mend_malloc(test_sizes[i % 60]);
      assert_non_null(blocks[i]);
    }
    for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
    if (round == settled) first = mend_mallinfo2();
  }
  struct mend_mallinfo2 last = mend_mallinfo2();
  assert_int_equal(last.uordblks, first.uordblks);
  assert_true(last.arena <= first.arena + MIB);
}

static void *free_all_sizes(void *argument)
{
  void **blocks = argument;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    errno = MARK;
    mend_free(blocks[i]);
    CHECK(errno == MARK);
  }
  return NULL;
}

static void another_thread_may_free(void **state)
{
  (void)state;
  static void *blocks[TEST_SIZE_COUNT];
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
      blocks[i] = mend_malloc(test_sizes[i]);
      assert_non_null(blocks[i]);
    }
    threads_run(1, free_all_sizes, blocks, 0);
  }
  mend_collect(false);
}

static void sized_frees_take_every_size(void **state)
{
  (void)state;
  size_t before = mend_mallinfo2().uordblks;
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    mend_free_sized(mend_malloc(test_sizes[i]), test_sizes[i]);
    for (size_t alignment = 8; alignment <= 64 * KIB; alignment *= 4) {
      void *block = mend_aligned_alloc(alignment, test_sizes[i]);
      assert_non_null(block);
      mend_free_aligned_sized(block, alignment, test_sizes[i]);
    }
  }
  assert_int_equal(mend_mallinfo2().uordblks, before);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(errno_is_preserved),
      cmocka_unit_test(errno_is_preserved_when_memory_goes_back),
      cmocka_unit_test(null_is_allowed),
      cmocka_unit_test(freed_memory_is_used_again),
      cmocka_unit_test(another_thread_may_free),
      cmocka_unit_test(sized_frees_take_every_size),
  };
  return SUITE_RUN(tests);
}
