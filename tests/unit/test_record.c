// SPDX-License-Identifier: MIT
//
// Records of blocks: found by arithmetic, of one block at a time, read whole while they change.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <string.h>

#include "core/large.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "track/record_exact.h"

static struct heap *heap;

static int start(void **state)
{
  (void)state;
  CHECK(registry_init());
  heap = registry_current();
  CHECK(heap != NULL);
  return 0;
}

static struct page *page_of(const void *block)
{
  return page_first(page_at(block));
}

static void *take(unsigned size_class)
{
  void *block = heap_take(heap, size_class, NULL);
  CHECK(block != NULL);
  return block;
}

static void give_back(void *block)
{
  struct page *page = page_of(block);
  if (page_kind(page) == PAGE_LIST) {
    remote_free(page, block);
  } else {
    heap_put_medium(heap, page, block, page_block_index(page, block));
  }
}

static const struct record_copy exact = {
    .size = 77, .state = RECORD_LIVE, .site = 11, .thread = 12, .ms = 13, .other = 14};
static const struct record_copy sample = {
    .size = 77, .state = RECORD_LIVE, .weight = 5, .site = 11, .thread = 12, .ms = 13, .other = 14};

static void nothing_is_known_before_the_start(void **state)
{
  (void)state;
  void *block = take(3);
  assert_null(record_find(page_of(block), block));
  assert_null(record_make(page_of(block), block, false));
  assert_int_equal(record_row(page_of(block)).count, 0);
  assert_true(record_start() && record_start());
  assert_null(record_find(page_of(block), block));
  give_back(block);
}

static void each_block_of_a_page_has_a_record_of_its_own(void **state)
{
  (void)state;
  static const unsigned classes[] = {0, 7, 40, 50, 79};
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
    void *blocks[3];
    struct record *records[3];
    for (size_t j = 0; j < 3; j++) {
      blocks[j] = take(classes[i]);
      struct page *page = page_of(blocks[j]);
      records[j] = record_make(page, blocks[j], false);
      assert_non_null(records[j]);
      assert_ptr_equal(record_find(page, blocks[j]), records[j]);
      assert_true(record_is_current(page, records[j]));
      assert_null(record_find(page, (char *)blocks[j] + 1));
      struct record_row row = record_row(page);
      assert_true(row.count >= page->capacity && row.block_bytes == page->block_bytes);
      assert_true(records[j] >= row.records && records[j] < row.records + row.count);
      assert_true(record_row_is_current(page, &row));
      for (size_t k = 0; k < j; k++) assert_ptr_not_equal(records[k], records[j]);
    }
    for (size_t j = 0; j < 3; j++) give_back(blocks[j]);
  }
}

static void a_large_block_has_a_record(void **state)
{
  (void)state;
  char *block = large_allocate(NULL, 300 << 10, 16, NULL);
  assert_non_null(block);
  struct record *record = record_make(page_of(block), block, false);
  assert_non_null(record);
  assert_ptr_equal(record_find(page_of(block), block), record);
  assert_int_equal(record_row(page_of(block)).count, 1);
  assert_int_equal(record_row(page_of(block)).block_bytes, 0);
  assert_true(large_free(page_of(block)));
}

static void a_block_whose_page_is_no_more_is_found_by_its_address(void **state)
{
  (void)state;
  size_t bytes;
  char *block = large_allocate(NULL, 300 << 10, 16, NULL);
  struct record *record = record_make(page_of(block), block, false);
  assert_ptr_equal(record_find_past(block, &bytes), record);
  assert_true(large_free(page_of(block)));
  assert_ptr_equal(record_find_past(block, &bytes), record);
  assert_null(record_find_past(block + 16, &bytes));
  assert_null(record_find_past(&record, &bytes));

  // Of a page of two slices or more, a block that begins in a later one.
  char *medium = take(SIZE_CLASS_COUNT - 1);
  char *next = medium + size_class_bytes(SIZE_CLASS_COUNT - 1);
  record = record_make(page_of(medium), medium, false);
  assert_ptr_equal(record_find_past(medium, &bytes), record);
  assert_ptr_equal(record_find_past(next, &bytes), record + 1);
  assert_null(record_find_past(next + 16, &bytes));
  give_back(medium);
}

static void a_record_says_what_was_set(void **state)
{
  (void)state;
  void *block = take(5);
  struct record *record = record_make(page_of(block), block, false);
  record_set(record, &exact);
  struct record_copy copy = record_read(record);
  assert_int_equal(copy.size, 77);
  assert_int_equal(copy.state, RECORD_LIVE);
  assert_int_equal(copy.weight, 0);
  assert_int_equal(copy.site, 11);
  assert_int_equal(copy.thread, 12);
  assert_int_equal(copy.ms, 13);
  assert_int_equal(copy.other, 14);
  record_resize(record, (size_t)1 << 44);
  assert_int_equal(record_read(record).size, (size_t)1 << 44);
  assert_int_equal(record_read(record).weight, 0);

  assert_true(record_close(record, &copy, 21, 22));
  assert_int_equal(copy.size, (size_t)1 << 44);
  assert_int_equal(copy.other, 14);
  assert_false(record_close(record, &copy, 31, 32));
  record_resize(record, 1);  // of what is not in use: nothing
  copy = record_read(record);
  assert_int_equal(copy.state, RECORD_FREED);
  assert_int_equal(copy.size, (size_t)1 << 44);
  assert_int_equal(copy.site, 11);
  assert_int_equal(copy.free_site, 21);
  assert_int_equal(copy.other, 22);
  give_back(block);
}

static void of_a_sample_nothing_is_kept(void **state)
{
  (void)state;
  struct record_copy copy;
  void *block = take(5);
  struct record *record = record_make(page_of(block), block, true);
  record_set(record, &sample);
  record_resize(record, (size_t)1 << 44);
  assert_int_equal(record_read(record).weight, 5);
  assert_true(record_close(record, &copy, 21, 22));
  assert_int_equal(copy.size, (size_t)1 << 44);
  assert_int_equal(copy.weight, 5);
  assert_int_equal(record_read(record).state, RECORD_NONE);
  assert_false(record_close(record, &copy, 31, 32));
  give_back(block);
}

static void what_is_forgotten_is_not_found_but_for_what_stays(void **state)
{
  (void)state;
  void *block = take(6);
  void *staying = take(9);
  record_set(record_make(page_of(block), block, false), &sample);
  record_set(record_make(page_of(staying), staying, true), &sample);
  struct record_row row = record_row(page_of(block));
  record_forget();
  assert_null(record_find(page_of(block), block));
  assert_false(record_row_is_current(page_of(block), &row));
  assert_int_equal(record_row(page_of(block)).count, 0);
  assert_non_null(record_find(page_of(staying), staying));
  // A new row of the same page knows nothing of what was there before.
  struct record *record = record_make(page_of(block), block, false);
  assert_int_equal(record_read(record).state, RECORD_NONE);
  give_back(block);
  give_back(staying);
}

static void generations_come_round(void **state)
{
  (void)state;
  void *block = take(8);
  void *staying = take(9);
  record_set(record_make(page_of(block), block, false), &sample);
  record_set(record_make(page_of(staying), staying, true), &sample);
  for (size_t i = 0; i < 40000; i++) {
    record_forget();
    assert_null(record_find(page_of(block), block));
  }
  assert_int_equal(record_read(record_find(page_of(staying), staying)).state, RECORD_LIVE);
  give_back(staying);
  struct record *record = record_make(page_of(block), block, false);
  assert_non_null(record);
  assert_ptr_equal(record_find(page_of(block), block), record);
  record_forget();
  assert_null(record_find(page_of(block), block));
  give_back(block);
}

static void look_for_page(struct page *page, void *argument)
{
  struct page **wanted = argument;
  if (*wanted == page) *wanted = NULL;
}

static void pages_with_a_row_are_visited(void **state)
{
  (void)state;
  void *block = take(12);
  struct page *page = page_of(block);
  (void)record_make(page, block, false);
  struct page *wanted = page;
  record_each_page(look_for_page, &wanted);
  assert_null(wanted);
  record_forget();
  wanted = page;
  record_each_page(look_for_page, &wanted);
  assert_ptr_equal(wanted, page);
  give_back(block);
}

// A page that has become one of another class: what was known of its blocks is of no block now.
static void a_page_of_another_class_has_another_row(void **state)
{
  (void)state;
  char *block = large_allocate(NULL, (size_t)200 << 10, 16, NULL);
  struct page *page = page_of(block);
  record_set(record_make(page, block, false), &sample);
  assert_true(large_free(page));
  assert_null(record_find(page, block));
  (void)upkeep_collect(true);
  for (size_t i = 0; i < 200; i++) {
    void *medium = take(70);
    struct record *record = record_find(page_of(medium), medium);
    assert_true(record == NULL || record_read(record).state == RECORD_NONE);
    record = record_make(page_of(medium), medium, false);
    assert_int_equal(record_read(record).state, RECORD_NONE);
  }
}

// ---------------------------------------------------------------------------------------------
// Threads.

static _Atomic(bool) is_done;
static struct record *shared;

// Each state of the record has the same number everywhere.
static void *change(void *unused)
{
  (void)unused;
  struct record_copy copy;
  for (uint32_t i = 1; i < (uint32_t)test_scaled(200000); i++) {
    struct record_copy set = {
        .size = i, .state = RECORD_LIVE, .site = i, .thread = i, .ms = i, .other = i};
    record_set(shared, &set);
    if (i % 3 == 0) CHECK(record_close(shared, &copy, 0, 0) && copy.size == i && copy.site == i);
  }
  is_done = true;
  return NULL;
}

static void *read_whole(void *unused)
{
  (void)unused;
  while (!is_done) {
    struct record_copy copy = record_read(shared);
    if (copy.state != RECORD_LIVE) continue;
    CHECK(copy.site == copy.size && copy.thread == copy.size && copy.ms == copy.size);
    CHECK(copy.other == copy.size);
  }
  return NULL;
}

static void *change_or_read(void *is_writer)
{
  return *(bool *)is_writer ? change(NULL) : read_whole(NULL);
}

static void a_record_is_read_whole_while_it_changes(void **state)
{
  (void)state;
  static bool are_writers[] = {true, false, false};
  void *block = take(4);
  shared = record_make(page_of(block), block, false);
  threads_run(3, change_or_read, are_writers, sizeof are_writers[0]);
  give_back(block);
}

static _Atomic(uint32_t) closes;

static void *close_all(void *records)
{
  struct record_copy copy;
  for (size_t i = 0; i < 1000; i++)
    closes += record_close(((struct record **)records)[i], &copy, 0, 0);
  return NULL;
}

static void of_two_that_free_a_block_one_is_told(void **state)
{
  (void)state;
  static struct record *all[1000];
  for (size_t i = 0; i < 1000; i++) {
    void *block = take(2);
    all[i] = record_make(page_of(block), block, false);
    record_set(all[i], &sample);
  }
  closes = 0;
  threads_run(4, close_all, all, 0);
  assert_int_equal(closes, 1000);
}

static int finish(void **state)
{
  (void)state;
  record_assert_valid();
  return 0;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_known_before_the_start),
      cmocka_unit_test(each_block_of_a_page_has_a_record_of_its_own),
      cmocka_unit_test(a_large_block_has_a_record),
      cmocka_unit_test(a_block_whose_page_is_no_more_is_found_by_its_address),
      cmocka_unit_test(a_record_says_what_was_set),
      cmocka_unit_test(of_a_sample_nothing_is_kept),
      cmocka_unit_test(what_is_forgotten_is_not_found_but_for_what_stays),
      cmocka_unit_test(generations_come_round),
      cmocka_unit_test(pages_with_a_row_are_visited),
      cmocka_unit_test(a_page_of_another_class_has_another_row),
      cmocka_unit_test(a_record_is_read_whole_while_it_changes),
      cmocka_unit_test(of_two_that_free_a_block_one_is_told),
  };
  return cmocka_run_group_tests(tests, start, finish) == 0 ? TEST_PASS : TEST_FAIL;
}
