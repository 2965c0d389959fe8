// SPDX-License-Identifier: MIT
//
// The numbers about the heap, against what the test itself holds, and how they are handed out.
#define _GNU_SOURCE 1
#include "capture.h"
#include "child.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/size_class.h"
#include "core/heap.h"
#include "mend/mend.h"
#include "stats/stats.h"

enum { BLOCKS = 500 };

// What a block of this request takes, as the library counts it: a checker's exact sizes are no
// help.
static size_t held_bytes(void *block, size_t size)
{
  return TEST_IS_ANNOTATED ? size_class_bytes(size_class_of(size + 16))
                           : mend_malloc_usable_size(block);
}

static void assert_parts_add_up(const struct mend_stats *stats)
{
  assert_int_equal(stats->bytes, sizeof *stats);
  assert_true(stats->large_bytes <= stats->live_bytes);
  size_t in_use = stats->live_bytes + stats->free_bytes + stats->uncarved_bytes;
  assert_int_equal((in_use - stats->large_bytes) % 65536, 0);  // pages are whole slices
  assert_int_equal((stats->large_bytes + stats->rest_bytes) % 65536, 0);
  assert_true(stats->rest_bytes <= (size_t)65536 * stats->large_count);
  assert_int_equal(in_use + stats->rest_bytes + stats->retained_bytes + stats->unused_bytes,
                   stats->committed_bytes);
  assert_true(stats->metadata_bytes > 0 && stats->os_call_count > 0 && stats->heap_count > 0);
}

static void live_bytes_are_those_of_the_blocks_that_are_out(void **state)
{
  (void)state;
  static void *blocks[BLOCKS];
  mend_collect(true);
  size_t before = stats_collect(NULL).live_bytes;
  size_t expected = before;
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = 1 + i * 97 % 60000;
    blocks[i] = mend_malloc(size);
    expected += held_bytes(blocks[i], size);
    struct mend_stats stats = stats_collect(NULL);
    assert_int_equal(stats.live_bytes, expected);
    assert_parts_add_up(&stats);
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    expected -= held_bytes(blocks[i], 1 + i * 97 % 60000);
    mend_free(blocks[i]);
    struct mend_stats stats = stats_collect(NULL);
    assert_int_equal(stats.live_bytes, expected);
    assert_parts_add_up(&stats);
  }
  assert_int_equal(expected, before);
}

static void large_blocks_are_counted_and_added_up(void **state)
{
  (void)state;
  struct mend_stats before = stats_collect(NULL);
  void *one = mend_malloc(100000);
  void *two = mend_malloc(5000000);
  struct mend_stats stats = stats_collect(NULL);
  assert_parts_add_up(&stats);
  assert_int_equal(stats.large_count, before.large_count + 2);
  size_t usable = mend_malloc_usable_size(one) + mend_malloc_usable_size(two);
  assert_true(is_growth_by(before.large_bytes, stats.large_bytes, usable));
  assert_int_equal(stats.live_bytes - before.live_bytes, stats.large_bytes - before.large_bytes);
  one = mend_realloc(one, 3000000);
  assert_int_equal(stats_collect(NULL).large_count, before.large_count + 2);
  mend_free(one);
  mend_free(two);
  assert_int_equal(stats_collect(NULL).large_count, before.large_count);
  assert_int_equal(stats_collect(NULL).large_bytes, before.large_bytes);
}

static void *allocate_large(void *argument)
{
  *(void **)argument = mend_malloc(300000);
  return NULL;
}

static void blocks_that_one_thread_allocates_and_another_frees_leave_no_trace(void **state)
{
  (void)state;
  struct mend_stats before = stats_collect(NULL);
  static void *blocks[4];
  threads_run(4, allocate_large, blocks, sizeof blocks[0]);
  assert_int_equal(stats_collect(NULL).large_count, before.large_count + 4);
  for (size_t i = 0; i < 4; i++) mend_free(blocks[i]);
  assert_int_equal(stats_collect(NULL).large_count, before.large_count);
  assert_int_equal(stats_collect(NULL).live_bytes, before.live_bytes);
}

static void *allocate_small(void *argument)
{
  void **blocks = argument;
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mend_malloc(100);
  return NULL;
}

static void blocks_in_a_bin_are_free_whichever_heap_they_are_of(void **state)
{
  (void)state;
  static void *blocks[BLOCKS];
  mend_collect(true);
  size_t before = stats_collect(NULL).live_bytes;
  threads_run(1, allocate_small, blocks, 0);
  size_t each = held_bytes(blocks[0], 100);
  assert_int_equal(stats_collect(NULL).live_bytes, before + BLOCKS * each);
  for (size_t i = 0; i < BLOCKS; i++) {
    mend_free(blocks[i]);
    struct mend_stats stats = stats_collect(NULL);
    assert_int_equal(stats.live_bytes, before + (BLOCKS - 1 - i) * each);
    assert_parts_add_up(&stats);
  }
}

// A thread that is inside its heap while another one forks.
static void *blocks_of_lost_thread[BLOCKS];
static _Atomic(int) lost_thread;  // 1 inside, 2 may leave

static void *stay_inside(void *unused)
{
  allocate_small(blocks_of_lost_thread);
  heap_enter(heap_current);
  atomic_store(&lost_thread, 1);
  while (atomic_load(&lost_thread) != 2) sched_yield();
  heap_leave(heap_current);
  return unused;
}

static void free_blocks_of_lost_thread(void)
{
  mend_collect(true);
  size_t before = stats_collect(NULL).live_bytes;
  for (size_t i = 0; i < BLOCKS; i++) {
    mend_free(blocks_of_lost_thread[i]);
    CHECK(stats_collect(NULL).live_bytes ==
          before);  // its heap, which was given up, is not counted
  }
}

static void blocks_of_a_heap_given_up_are_not_counted_in_a_bin_either(void **state)
{
  (void)state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, stay_inside, NULL), 0);
  while (atomic_load(&lost_thread) != 1) sched_yield();
  child_check(free_blocks_of_lost_thread);
  atomic_store(&lost_thread, 2);
  assert_int_equal(pthread_join(thread, NULL), 0);
  for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks_of_lost_thread[i]);
}

static struct stats_class stats_of_class(unsigned size_class)
{
  struct stats_class classes[SIZE_CLASS_COUNT];
  (void)stats_collect(classes);
  return classes[size_class];
}

static void the_classes_add_up_to_the_whole(void **state)
{
  (void)state;
  static void *blocks[BLOCKS];
  struct stats_class classes[SIZE_CLASS_COUNT];
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mend_malloc(1 + i * 97 % 60000);
  for (size_t i = 0; i < BLOCKS; i += 3) mend_free(blocks[i]);
  struct mend_stats stats = stats_collect(classes);
  size_t live = 0, free = 0, pages = 0;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    live += classes[i].live_count * size_class_bytes(i);
    free += classes[i].free_count * size_class_bytes(i);
    pages += classes[i].page_count;
  }
  assert_int_equal(live, stats.live_bytes - stats.large_bytes);
  assert_int_equal(free, stats.free_bytes);
  assert_int_equal(pages, stats.page_count);
  for (size_t i = 0; i < BLOCKS; i++) {
    if (i % 3 != 0) mend_free(blocks[i]);
  }
}

static void a_class_counts_its_own_blocks(void **state)
{
  (void)state;
  static void *blocks[BLOCKS];
  mend_collect(true);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i += 5) {
    size_t size = size_class_bytes(i) - (TEST_IS_ANNOTATED ? 16 : 0);
    if (size == 0) continue;
    struct stats_class before = stats_of_class(i);
    for (size_t j = 0; j < 50; j++) blocks[j] = mend_malloc(size);
    struct stats_class after = stats_of_class(i);
    assert_int_equal(after.live_count, before.live_count + 50);
    assert_true(after.page_count >= 1);
    for (size_t j = 0; j < 20; j++) mend_free(blocks[j]);
    struct stats_class freed = stats_of_class(i);
    assert_int_equal(freed.live_count, before.live_count + 30);
    // Of large blocks whole pages may have come free and gone.
    assert_true(freed.free_count == after.free_count + 20 || size > 1024 ||
                TUNING_PAGE_BLOCKS < 64);
    for (size_t j = 20; j < 50; j++) mend_free(blocks[j]);
    assert_int_equal(stats_of_class(i).live_count, before.live_count);
  }
}

static void a_first_class_heap_is_counted_until_it_is_destroyed(void **state)
{
  (void)state;
  struct mend_stats before = stats_collect(NULL);
  mend_heap *heap = mend_heap_create();
  assert_non_null(mend_heap_malloc(heap, 1000));
  assert_non_null(mend_heap_malloc(heap, 1000000));
  struct mend_stats with = stats_collect(NULL);
  assert_int_equal(with.heap_count, before.heap_count + 1);
  assert_int_equal(with.large_count, before.large_count + 1);
  assert_true(with.page_count >= before.page_count + 1);
  assert_true(with.live_bytes >= before.live_bytes + 1001000);
  mend_heap_destroy(heap);
  struct mend_stats after = stats_collect(NULL);
  assert_int_equal(after.heap_count, before.heap_count);
  assert_int_equal(after.live_bytes, before.live_bytes);
}

static void a_caller_with_a_shorter_structure_gets_that_much(void **state)
{
  (void)state;
  union {
    struct mend_stats stats;
    unsigned char bytes[sizeof(struct mend_stats) + 64];
  } box;
  for (size_t bytes = 0; bytes <= sizeof box; bytes += sizeof(size_t)) {
    memset(&box, 0xee, sizeof box);
    box.stats.bytes = bytes;
    bool is_filled = mend_stats_get(&box.stats);
    assert_int_equal(is_filled, bytes >= sizeof(size_t));
    assert_int_equal(box.stats.bytes, bytes);
    size_t known = bytes < sizeof(struct mend_stats) ? bytes : sizeof(struct mend_stats);
    size_t first_kept = is_filled ? known : sizeof(size_t);
    for (size_t i = first_kept; i < sizeof box; i++) assert_int_equal(box.bytes[i], 0xee);
    if (bytes >= 2 * sizeof(size_t)) assert_true(box.stats.live_bytes < (size_t)1 << 40);
  }
}

// The number on the line that ends with "  name: ...".
static size_t printed(const char *name)
{
  char mark[64];
  snprintf(mark, sizeof mark, "  %s: ", name);
  const char *at = strstr(captured.text, mark);
  assert_non_null(at);
  while (at > captured.text && at[-1] != '\n') at--;
  assert_int_equal(strncmp(at, "mend: ", 6), 0);
  return strtoull(at + 6, NULL, 10);
}

static void the_table_says_the_same(void **state)
{
  (void)state;
  void *small = mend_malloc(100);
  void *large = mend_malloc(1000000);
  struct mend_stats stats = stats_collect(NULL);
  capture_begin();
  stats_print();
  capture_end();
  assert_int_equal(printed("process"), getpid());
  assert_int_equal(printed("bytes live"), stats.live_bytes);
  assert_int_equal(printed("bytes free"), stats.free_bytes);
  assert_int_equal(printed("bytes retained"), stats.retained_bytes);
  assert_int_equal(printed("bytes uncarved"), stats.uncarved_bytes);
  assert_int_equal(printed("bytes rest"), stats.rest_bytes);
  assert_int_equal(printed("bytes unused"), stats.unused_bytes);
  assert_int_equal(printed("bytes metadata"), stats.metadata_bytes);
  assert_int_equal(printed("bytes committed"), stats.committed_bytes);
  assert_int_equal(printed("bytes purged"), stats.purged_bytes);
  assert_int_equal(printed("bytes large"), stats.large_bytes);
  assert_int_equal(printed("large blocks"), stats.large_count);
  assert_int_equal(printed("pages"), stats.page_count);
  assert_int_equal(printed("heaps"), stats.heap_count);
  assert_int_equal(printed("mappings"), stats.mapping_count);
  assert_true(printed("system calls") >= stats.os_call_count);
  assert_int_equal(printed("bytes committed"),
                   printed("bytes live") + printed("bytes free") + printed("bytes uncarved") +
                       printed("bytes rest") + printed("bytes retained") + printed("bytes unused"));
  mend_free(small);
  mend_free(large);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(live_bytes_are_those_of_the_blocks_that_are_out),
      cmocka_unit_test(large_blocks_are_counted_and_added_up),
      cmocka_unit_test(blocks_that_one_thread_allocates_and_another_frees_leave_no_trace),
      cmocka_unit_test(blocks_in_a_bin_are_free_whichever_heap_they_are_of),
      cmocka_unit_test(blocks_of_a_heap_given_up_are_not_counted_in_a_bin_either),
      cmocka_unit_test(the_classes_add_up_to_the_whole),
      cmocka_unit_test(a_class_counts_its_own_blocks),
      cmocka_unit_test(a_first_class_heap_is_counted_until_it_is_destroyed),
      cmocka_unit_test(a_caller_with_a_shorter_structure_gets_that_much),
      cmocka_unit_test(the_table_says_the_same),
  };
  return SUITE_RUN(tests);
}
