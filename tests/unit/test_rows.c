// SPDX-License-Identifier: MIT
//
// Rows: classes, heaps, threads and nodes, in that order, and what they add up to.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/size_class.h"
#include "core/sampling.h"
#include "mend/handle.h"
#include "mend/mend.h"
#include "os/thread.h"
#include "stats/stats.h"

enum { ROWS_MOST = 2000 };

static struct {
  struct mend_stats_row all[ROWS_MOST];
  char names[ROWS_MOST][32];
  size_t count;
  size_t most;  // that are wanted
} rows;

static bool keep_row(const struct mend_stats_row *row, void *argument)
{
  CHECK(argument == &rows && rows.count < ROWS_MOST && row->bytes == sizeof *row);
  CHECK(row->kind >= MEND_STATS_CLASS && row->kind <= MEND_STATS_NODE && row->name != NULL);
  CHECK(rows.count == 0 || rows.all[rows.count - 1].kind <= row->kind);
  CHECK(row->live_bytes < (size_t)1 << 40 && row->free_bytes < (size_t)1 << 40);
  CHECK(row->cached_bytes <= row->free_bytes);
  snprintf(rows.names[rows.count], sizeof rows.names[0], "%s", row->name);
  mend_free(mend_malloc(1000));  // nothing is locked
  rows.all[rows.count] = *row;
  rows.all[rows.count].name = rows.names[rows.count];
  rows.count++;
  return rows.count < rows.most;
}

static bool visit(size_t most)
{
  rows.count = 0;
  rows.most = most;
  return mend_stats_visit(keep_row, &rows);
}

// The row of a number, and of a name unless that is NULL.
static const struct mend_stats_row *row_of(uint64_t kind, uint64_t number, const char *name)
{
  for (size_t i = 0; i < rows.count; i++) {
    if (rows.all[i].kind != kind || rows.all[i].number != number) continue;
    if (name == NULL || strcmp(rows.all[i].name, name) == 0) return &rows.all[i];
  }
  return NULL;
}

static void classes_and_heaps_add_up(void **state)
{
  (void)state;
  void *blocks[300];
  for (size_t i = 0; i < 300; i++) blocks[i] = mend_malloc(1 + i * 331 % 70000);
  for (size_t i = 0; i < 300; i += 3) mend_free(blocks[i]);
  assert_true(visit(ROWS_MOST));
  struct mend_stats stats = stats_collect(NULL);
  size_t live[5] = {0}, free[5] = {0}, pages[5] = {0};
  for (size_t i = 0; i < rows.count; i++) {
    live[rows.all[i].kind] += rows.all[i].live_bytes;
    free[rows.all[i].kind] += rows.all[i].free_bytes;
    pages[rows.all[i].kind] += rows.all[i].page_count;
  }
  assert_int_equal(live[MEND_STATS_CLASS], stats.live_bytes);
  assert_int_equal(free[MEND_STATS_CLASS], stats.free_bytes);
  assert_int_equal(pages[MEND_STATS_CLASS], stats.page_count);
  assert_int_equal(live[MEND_STATS_HEAP] + live[MEND_STATS_THREAD] + stats.large_bytes,
                   stats.live_bytes);
  assert_int_equal(free[MEND_STATS_HEAP] + free[MEND_STATS_THREAD], stats.free_bytes);
  assert_int_equal(pages[MEND_STATS_HEAP] + pages[MEND_STATS_THREAD], stats.page_count);
  const struct mend_stats_row *large = row_of(MEND_STATS_CLASS, 0, "large");
  assert_int_equal(large->live_bytes, stats.large_bytes);
  assert_int_equal(large->live_count, stats.large_count);
  for (size_t i = 0; i < 300; i++) {
    if (i % 3 != 0) mend_free(blocks[i]);
  }
}

static void a_class_has_its_own_blocks(void **state)
{
  (void)state;
  void *blocks[50];
  size_t size = size_class_bytes(size_class_of(7000));
  assert_true(visit(ROWS_MOST));
  const struct mend_stats_row *row = row_of(MEND_STATS_CLASS, size, "");
  size_t before = row != NULL ? row->live_count : 0;
  for (size_t i = 0; i < 50; i++) blocks[i] = mend_malloc(7000);
  assert_true(visit(ROWS_MOST));
  row = row_of(MEND_STATS_CLASS, size, "");
  assert_int_equal(row->live_count, before + 50);
  assert_int_equal(row->live_bytes, (before + 50) * size);
  for (size_t i = 0; i < 50; i++) mend_free(blocks[i]);
}

// What is kept in place of samples is known of all threads together, and the pages that it lies in
// may have gone by when those are walked: here they have never been.
static void no_class_has_less_than_none(void **state)
{
  (void)state;
  unsigned size_class = size_class_of(1500);
  void *block = mend_malloc(1500);
  sampling_count_twin(size_class, 100000);
  assert_true(visit(ROWS_MOST));
  const struct mend_stats_row *row = row_of(MEND_STATS_CLASS, size_class_bytes(size_class), "");
  struct mend_stats stats = stats_collect(NULL);
  sampling_count_twin(size_class, -100000);
  assert_non_null(row);
  assert_int_equal(row->live_count, 0);
  assert_int_equal(row->live_bytes, 0);
  assert_true(row->free_count > 0 && row->free_count < 100000);
  size_t live = 0;
  for (size_t i = 0; i < rows.count; i++) {
    if (rows.all[i].kind == MEND_STATS_CLASS) live += rows.all[i].live_bytes;
  }
  assert_int_equal(live, stats.live_bytes);
  mend_free(block);
}

static void blocks_in_place_of_samples_are_free_and_not_cached(void **state)
{
  (void)state;
  void *block = mend_malloc(1500);
  struct mend_stats before = stats_collect(NULL);
  sampling_count_twin(size_class_of(1500), 1);
  struct mend_stats stats = stats_collect(NULL);
  sampling_count_twin(size_class_of(1500), -1);
  size_t bytes = size_class_bytes(size_class_of(1500));
  assert_int_equal(stats.live_bytes, before.live_bytes - bytes);
  assert_int_equal(stats.free_bytes, before.free_bytes + bytes);
  assert_int_equal(stats.cached_bytes, before.cached_bytes);
  mend_free(block);
}

static void heaps_have_addresses_and_names(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  assert_non_null(mend_heap_malloc(heap, 1000));
  assert_non_null(mend_heap_malloc(heap, 1000000));
  mend_handle moving = mend_handle_alloc(300);
  mend_handle still = mend_handle_alloc_pinned(300);
  assert_true(visit(ROWS_MOST));
  const struct mend_stats_row *row = row_of(MEND_STATS_HEAP, (uintptr_t)heap, "heap");
  assert_non_null(row);
  assert_int_equal(row->live_count, 2);
  assert_true(row->live_bytes >= 1001000);
  assert_non_null(row_of(MEND_STATS_HEAP, 0, "handles"));
  assert_true(row_of(MEND_STATS_HEAP, 0, "handles")->live_count >= 1);
  mend_handle_free(moving);
  mend_handle_free(still);
  mend_heap_destroy(heap);
  assert_true(visit(ROWS_MOST));
  assert_null(row_of(MEND_STATS_HEAP, (uintptr_t)heap, "heap"));
}

static _Atomic(uint32_t) number;
static _Atomic(bool) may_end;

static void *be_named(void *unused)
{
  pthread_setname_np(pthread_self(), "a thread: 15 ch");
  void *block = mend_malloc(100);
  atomic_store(&number, os_thread_number());
  while (!atomic_load(&may_end)) os_thread_yield();
  mend_free(block);
  return unused;
}

static void threads_have_numbers_and_names(void **state)
{
  (void)state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, be_named, NULL), 0);
  while (atomic_load(&number) == 0) os_thread_yield();
  assert_true(visit(ROWS_MOST));
  const struct mend_stats_row *row = row_of(MEND_STATS_THREAD, atomic_load(&number), NULL);
  assert_non_null(row);
  assert_string_equal(row->name, "a thread: 15 ch");
  assert_true(row->live_count >= 1);
  assert_non_null(row_of(MEND_STATS_THREAD, os_thread_number(), NULL));
  atomic_store(&may_end, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(visit(ROWS_MOST));
  assert_null(row_of(MEND_STATS_THREAD, atomic_load(&number), NULL));
}

static void nodes_have_what_is_resident(void **state)
{
  (void)state;
  size_t bytes = (size_t)8 << 20;
  char *block = mend_malloc(bytes);
  memset(block, 1, bytes);
  assert_true(visit(ROWS_MOST));
  size_t resident = 0;
  for (size_t i = 0; i < rows.count; i++) {
    if (rows.all[i].kind == MEND_STATS_NODE) resident += rows.all[i].resident_bytes;
  }
  assert_true(resident >= bytes);
  mend_free(block);
}

static void who_has_seen_enough_sees_no_more(void **state)
{
  (void)state;
  assert_true(visit(ROWS_MOST));
  size_t all = rows.count;
  for (size_t most = 1; most <= all; most++) {
    assert_false(visit(most));
    assert_int_equal(rows.count, most);
  }
  assert_false(mend_stats_visit(NULL, NULL));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(classes_and_heaps_add_up),
      cmocka_unit_test(a_class_has_its_own_blocks),
      cmocka_unit_test(no_class_has_less_than_none),
      cmocka_unit_test(blocks_in_place_of_samples_are_free_and_not_cached),
      cmocka_unit_test(heaps_have_addresses_and_names),
      cmocka_unit_test(threads_have_numbers_and_names),
      cmocka_unit_test(nodes_have_what_is_resident),
      cmocka_unit_test(who_has_seen_enough_sees_no_more),
  };
  return SUITE_RUN(tests);
}
