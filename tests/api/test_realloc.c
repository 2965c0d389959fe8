// SPDX-License-Identifier: MIT
//
// mend_realloc and mend_reallocarray: contents over all transitions between kinds of block, the
// zero cases, failure that leaves the block alone. Long growth and shrinking in steps; threads that
// shrink blocks and take what others have cut off.
#include "../support/suite.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "mend/mend.h"

// One or two sizes of each kind of block, and both sides of the borders.
static const size_t matrix[] = {
    1,     16,    17,    100,   128,   500,    1024,   1025,    3000,    4096,    4097,    8192,
    20000, 32768, 32769, 65536, 65537, 200000, 524289, 1048576, 1048577, 2097152, 5000000, 67108864,
};
enum { MATRIX_COUNT = sizeof matrix / sizeof matrix[0] };
enum { EDGE = 16384 };

// The first and last EDGE bytes stand for all the bytes of a large block.
static size_t edge_of(size_t bytes)
{
  return bytes < EDGE ? bytes : EDGE;
}

static void fill_edges(unsigned char *block, size_t bytes)
{
  size_t edge = edge_of(bytes);
  pattern_fill(block + bytes - edge, edge, bytes);
  pattern_fill(block, edge, bytes + 1);
}

static bool has_edges(const unsigned char *block, size_t bytes)
{
  size_t edge = edge_of(bytes);
  if (pattern_difference(block, edge, bytes + 1) != edge) return false;
  if (bytes < 2 * (size_t)EDGE) return true;
  return pattern_difference(block + bytes - edge, edge, bytes) == edge;
}

static void assert_edges(const unsigned char *block, size_t bytes)
{
  assert_true(has_edges(block, bytes));
}

static void contents_survive_every_transition(void **state)
{
  (void)state;
  for (size_t i = 0; i < MATRIX_COUNT; i++) {
    for (size_t j = 0; j < MATRIX_COUNT; j++) {
      size_t kept = matrix[i] < matrix[j] ? matrix[i] : matrix[j];
      unsigned char *block = mend_malloc(matrix[i]);
      assert_non_null(block);
      fill_edges(block, kept);
      block = mend_realloc(block, matrix[j]);
      assert_non_null(block);
      assert_true(is_aligned(block, 16));
      assert_true(mend_malloc_usable_size(block) >= matrix[j]);
      assert_edges(block, kept);
      block[matrix[j] - 1] = 1;
      mend_free(block);
    }
  }
}

static void growth_and_shrinking_in_steps_keep_every_byte(void **state)
{
  (void)state;
  size_t most = test_is_instrumented() ? 2 * MIB : 64 * MIB;
  size_t size = 1;
  unsigned char *block = mend_malloc(size);
  pattern_fill(block, size, 7);
  while (size < most) {
    size_t next = size + size / 2 + 1;
    block = mend_realloc(block, next);
    assert_non_null(block);
    assert_int_equal(pattern_difference(block, size, 7), size);
    pattern_fill(block, next, 7);
    size = next;
  }
  while (size > 1) {
    size -= size / 3 + 1;
    if (size == 0) size = 1;
    block = mend_realloc(block, size);
    assert_non_null(block);
    assert_int_equal(pattern_difference(block, size, 7), size);
  }
  mend_free(block);
}

// Two blocks grow by turns, so that neither always has room behind it.
static void neighbours_that_grow_by_turns_do_not_meet(void **state)
{
  (void)state;
  size_t size = 100;
  unsigned char *blocks[2] = {mend_malloc(size), mend_malloc(size)};
  for (size_t i = 0; i < 2; i++) pattern_fill(blocks[i], size, i);
  while (size < 4 * MIB) {
    size_t next = size * 5 / 4;
    for (size_t i = 0; i < 2; i++) {
      blocks[i] = mend_realloc(blocks[i], next);
      assert_non_null(blocks[i]);
      assert_int_equal(pattern_difference(blocks[i], size, i), size);
      pattern_fill(blocks[i], next, i);
    }
    size = next;
  }
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(pattern_difference(blocks[i], size, i), size);
    mend_free(blocks[i]);
  }
}

static void aligned_blocks_can_be_resized(void **state)
{
  (void)state;
  for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 4) {
    for (size_t target = 10; target < MIB; target *= 7) {
      unsigned char *block = mend_aligned_alloc(alignment, 3000);
      assert_non_null(block);
      pattern_fill(block, 3000, alignment);
      block = mend_realloc(block, target);
      assert_non_null(block);
      size_t kept = target < 3000 ? target : 3000;
      assert_int_equal(pattern_difference(block, kept, alignment), kept);
      memset(block, 1, target);
      mend_free(block);
    }
  }
}

static void null_makes_it_malloc(void **state)
{
  (void)state;
  void *block = mend_realloc(NULL, 100);
  assert_non_null(block);
  assert_true(mend_malloc_usable_size(block) >= 100);
  void *empty = mend_realloc(NULL, 0);
  assert_non_null(empty);
  mend_free(block);
  mend_free(empty);
}

static void zero_frees_the_block(void **state)
{
  (void)state;
  size_t before = mend_mallinfo2().uordblks;
  for (size_t i = 0; i < MATRIX_COUNT; i++) {
    void *block = mend_malloc(matrix[i]);
    assert_non_null(block);
    assert_null(mend_realloc(block, 0));
    block = mend_malloc(matrix[i]);
    assert_null(mend_reallocarray(block, 0, 8));
    block = mend_malloc(matrix[i]);
    assert_null(mend_reallocarray(block, 8, 0));
  }
  assert_int_equal(mend_mallinfo2().uordblks, before);
}

static void failure_leaves_the_block_alone(void **state)
{
  (void)state;
  for (size_t i = 0; i < MATRIX_COUNT; i++) {
    unsigned char *block = mend_malloc(matrix[i]);
    assert_non_null(block);
    fill_edges(block, matrix[i]);
    unsigned char *kept = opaque(block);
    errno = 0;
    assert_null(mend_realloc(block, opaque_size(SIZE_MAX - 64)));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(mend_realloc(kept, opaque_size((size_t)PTRDIFF_MAX)));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(mend_reallocarray(kept, opaque_size((size_t)1 << 33), (size_t)1 << 33));
    assert_int_equal(errno, ENOMEM);
    assert_edges(kept, matrix[i]);
    mend_free(kept);
  }
}

static void reallocarray_multiplies(void **state)
{
  (void)state;
  unsigned char *block = mend_reallocarray(NULL, 30, 40);
  assert_non_null(block);
  assert_true(mend_malloc_usable_size(block) >= 1200);
  pattern_fill(block, 1200, 5);
  block = mend_reallocarray(block, 3000, 40);
  assert_non_null(block);
  assert_true(mend_malloc_usable_size(block) >= 120000);
  assert_int_equal(pattern_difference(block, 1200, 5), 1200);
  mend_free(block);
}

static void the_same_size_stays_in_place(void **state)
{
  (void)state;
  for (size_t i = 0; i < MATRIX_COUNT; i++) {
    void *block = mend_malloc(matrix[i]);
    uintptr_t before = (uintptr_t)block;
    block = mend_realloc(block, matrix[i]);
    assert_true((uintptr_t)block == before);
    mend_free(block);
  }
}

static void shrinking_gives_memory_back(void **state)
{
  (void)state;
  for (size_t size = 64 * KIB; size <= 64 * MIB; size *= 32) {
    void *block = mend_malloc(size);
    assert_non_null(block);
    block = mend_realloc(block, 100);
    assert_non_null(block);
    assert_true(mend_malloc_usable_size(block) <= size / 4);
    mend_free(block);
  }
}

// Shrinks blocks where they are, and takes what other threads have just cut off theirs.
static void *cut_and_take(void *argument)
{
  struct random random = {*(uint64_t *)argument};
  for (size_t i = 0; i < test_scaled(2000); i++) {
    size_t size = 300000 + random_below(&random, 600000);
    size_t kept = size / 3;
    unsigned char *block = mend_malloc(size);
    CHECK(block != NULL);
    fill_edges(block, kept);
    block = mend_realloc(block, kept);
    CHECK(block != NULL);
    unsigned char *other = mend_malloc(kept);
    CHECK(other != NULL);
    fill_edges(other, kept);
    sched_yield();
    CHECK(has_edges(block, kept) && has_edges(other, kept));
    mend_free(other);
    mend_free(block);
  }
  return NULL;
}

static void what_is_cut_off_may_be_another_threads_at_once(void **state)
{
  (void)state;
  enum { THREADS = 4 };
  uint64_t seeds[THREADS];
  struct random random = {random_seed()};
  for (size_t i = 0; i < THREADS; i++) seeds[i] = random_next(&random);
  threads_run(THREADS, cut_and_take, seeds, sizeof seeds[0]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(contents_survive_every_transition),
      cmocka_unit_test(growth_and_shrinking_in_steps_keep_every_byte),
      cmocka_unit_test(neighbours_that_grow_by_turns_do_not_meet),
      cmocka_unit_test(aligned_blocks_can_be_resized),
      cmocka_unit_test(null_makes_it_malloc),
      cmocka_unit_test(zero_frees_the_block),
      cmocka_unit_test(failure_leaves_the_block_alone),
      cmocka_unit_test(reallocarray_multiplies),
      cmocka_unit_test(the_same_size_stays_in_place),
      cmocka_unit_test(shrinking_gives_memory_back),
      cmocka_unit_test(what_is_cut_off_may_be_another_threads_at_once),
  };
  return SUITE_RUN(tests);
}
