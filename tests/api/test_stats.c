// SPDX-License-Identifier: MIT
//
// mend_stats_get: figures that follow what the program does, exact where the header promises it,
// and a struct that may be shorter or longer than the library's.
#include "../support/suite.h"

#include <string.h>

#include "../support/sizes.h"
#include "mend/stats.h"

static struct mend_stats get_stats(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  assert_true(mend_stats_get(&stats));
  return stats;
}

static void live_bytes_follow_each_block(void **state)
{
  (void)state;
  size_t before = get_stats().live_bytes;
  static void *blocks[TEST_SIZE_COUNT];
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    size_t live = get_stats().live_bytes;
    blocks[i] = mend_malloc(test_sizes[i]);
    assert_true(is_growth_by(live, get_stats().live_bytes, mend_malloc_usable_size(blocks[i])));
  }
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) mend_free(blocks[i]);
  assert_int_equal(get_stats().live_bytes, before);
}

static void large_blocks_are_counted_apart(void **state)
{
  (void)state;
  struct mend_stats before = get_stats();
  void *block = mend_malloc(64 * MIB);
  struct mend_stats after = get_stats();
  size_t usable = mend_malloc_usable_size(block);
  assert_int_equal(after.large_count, before.large_count + 1);
  assert_true(is_growth_by(before.large_bytes, after.large_bytes, usable));
  mend_free(block);
  assert_int_equal(get_stats().large_count, before.large_count);
  assert_int_equal(get_stats().large_bytes, before.large_bytes);
}

static void blocks_that_are_aligned_to_more_than_64_kib_are_among_them(void **state)
{
  (void)state;
  struct mend_stats before = get_stats();
  void *block = mend_aligned_alloc(128 * KIB, 16);
  assert_int_equal(get_stats().large_count, before.large_count + 1);
  mend_free(block);
  block = mend_aligned_alloc(64 * KIB, 16);
  assert_int_equal(get_stats().large_count, before.large_count);
  mend_free(block);
  assert_int_equal(get_stats().large_bytes, before.large_bytes);
}

static void assert_parts_add_up(void)
{
  struct mend_stats stats = get_stats();
  assert_int_equal(stats.live_bytes + stats.free_bytes + stats.uncarved_bytes + stats.rest_bytes +
                       stats.retained_bytes + stats.unused_bytes,
                   stats.committed_bytes);
  struct mend_mallinfo2 info = mend_mallinfo2();
  assert_int_equal(info.uordblks + info.fordblks, info.arena);
  assert_int_equal(info.arena + info.hblkhd + stats.rest_bytes + stats.unused_bytes,
                   stats.committed_bytes);
}

static void the_parts_are_all_that_is_committed(void **state)
{
  (void)state;
  static void *blocks[TEST_SIZE_COUNT];
  mend_heap *heap = mend_heap_create();
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
      blocks[i] = i % 3 == 0   ? mend_heap_malloc(heap, test_sizes[i])
                  : i % 3 == 1 ? mend_aligned_alloc(4096, test_sizes[i])
                               : mend_malloc(test_sizes[i]);
      assert_parts_add_up();
    }
    for (size_t i = 0; i < TEST_SIZE_COUNT; i += 2) {
      blocks[i] = mend_realloc(blocks[i], test_sizes[TEST_SIZE_COUNT - 1 - i] + 1);
      assert_parts_add_up();
    }
    for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
      mend_free(blocks[i]);
      assert_parts_add_up();
    }
    if (round == 1) mend_malloc_trim(0);
    assert_parts_add_up();
  }
  mend_heap_destroy(heap);
  assert_parts_add_up();
}

static void pages_and_heaps_are_counted(void **state)
{
  enum { COUNT = 2000 };
  (void)state;
  static void *blocks[COUNT];
  struct mend_stats before = get_stats();
  for (size_t i = 0; i < COUNT; i++) blocks[i] = mend_malloc(1000);
  mend_heap *heap = mend_heap_create();
  struct mend_stats after = get_stats();
  assert_true(after.page_count > before.page_count);
  assert_int_equal(after.heap_count, before.heap_count + 1);
  assert_true(after.committed_bytes >= after.live_bytes);
  assert_true(after.metadata_bytes > 0);
  assert_true(after.os_call_count > 0);
  mend_heap_destroy(heap);
  for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
  assert_int_equal(get_stats().heap_count, before.heap_count);
}

static void freed_memory_is_free_and_then_purged(void **state)
{
  enum { COUNT = 4000 };
  (void)state;
  static void *blocks[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    blocks[i] = mend_malloc(2000);
    memset(blocks[i], 1, 2000);
  }
  struct mend_stats full = get_stats();
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 100 != 0) mend_free(blocks[i]);
  }
  struct mend_stats sparse = get_stats();
  // Freed blocks are free, kept in pages, or already given back: together at least as much.
  size_t gone = (sparse.purged_bytes - full.purged_bytes) + sparse.free_bytes +
                sparse.retained_bytes + sparse.uncarved_bytes;
  assert_true(gone >= (size_t)COUNT * 2000 * 95 / 100);
  for (size_t i = 0; i < COUNT; i += 100) mend_free(blocks[i]);
  mend_malloc_trim(0);
  assert_int_equal(mend_malloc_trim(0), 0);  // nothing is left to give
  struct mend_stats trimmed = get_stats();
  assert_true(trimmed.purged_bytes >= full.purged_bytes + (size_t)COUNT * 2000 * 3 / 4);
  assert_true(trimmed.retained_bytes <= 256 * KIB);
}

static void shorter_and_longer_structs_are_served(void **state)
{
  (void)state;
  struct {
    struct mend_stats stats;
    size_t later[4];
  } longer;
  memset(&longer, 0x77, sizeof longer);
  longer.stats.bytes = sizeof longer;
  assert_true(mend_stats_get(&longer.stats));
  for (size_t i = 0; i < 4; i++) assert_int_equal(longer.later[i], UINT64_C(0x7777777777777777));
  assert_int_equal(longer.stats.mapping_count >> 32, 0);

  struct mend_stats shorter;
  memset(&shorter, 0x77, sizeof shorter);
  shorter.bytes = offsetof(struct mend_stats, retained_bytes);
  assert_true(mend_stats_get(&shorter));
  assert_int_equal(shorter.live_bytes, get_stats().live_bytes);
  assert_int_equal(shorter.retained_bytes, UINT64_C(0x7777777777777777));

  shorter.bytes = sizeof(size_t) - 1;
  shorter.live_bytes = 4711;
  assert_false(mend_stats_get(&shorter));
  assert_int_equal(shorter.live_bytes, 4711);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(live_bytes_follow_each_block),
      cmocka_unit_test(large_blocks_are_counted_apart),
      cmocka_unit_test(blocks_that_are_aligned_to_more_than_64_kib_are_among_them),
      cmocka_unit_test(the_parts_are_all_that_is_committed),
      cmocka_unit_test(pages_and_heaps_are_counted),
      cmocka_unit_test(freed_memory_is_free_and_then_purged),
      cmocka_unit_test(shorter_and_longer_structs_are_served),
  };
  return SUITE_RUN(tests);
}
