// SPDX-License-Identifier: MIT
//
// What the tracker is told beside samples: that exact tracking sees all, what happens when modes
// change or nothing can be remembered, and what visitors and heaps that end do with samples.
#define _GNU_SOURCE 1
#include "sample_truth.h"

static void all_are_seen(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 3; i++) {
    begin(MEND_PROFILE_EXACT);
    for (size_t j = 0; j < ROUNDS; j++) {
      size_t added = table.added, removed = table.removed;
      for (size_t k = 0; k < BLOCKS / 10; k++) blocks[k] = one_of_any_sort(heap, k);
      assert_int_equal(table.added, added + BLOCKS / 10);
      for (size_t k = BLOCKS / 10; k > 0; k--) mend_free(blocks[k - 1]);
      assert_int_equal(table.removed, removed + BLOCKS / 10);
    }
    truth.count_variance = truth.byte_variance = 0;
    end();
  }
  mend_heap_destroy(heap);
}

static void what_was_there_before_is_unknown_rather_than_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    for (size_t j = 0; j < BLOCKS; j++) blocks[j] = mend_malloc(any_size());
    begin(i == 0 ? MEND_PROFILE_EXACT : 1);
    for (size_t j = 0; j < BLOCKS; j += 2) mend_free(blocks[j]);
    assert_int_equal(table.removed, 0);
    for (size_t j = 0; j < BLOCKS; j += 2) blocks[j] = allocate_noted(any_size());
    assert_int_equal(table.live, BLOCKS / 2);
    for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
    truth.count_variance = truth.byte_variance = 1;
    end();
  }
}

// Samples are noticed, and twins come back, when they are freed after the end.
static void samples_outlive_the_mode(void **state)
{
  (void)state;
  begin(100);
  for (size_t j = 0; j < BLOCKS; j++) blocks[j] = allocate_noted(any_size());
  mend_profile_stop();
  size_t live = table.live;
  assert_true(live > 0 && twins() > 0);
  for (size_t j = 0; j < 100; j++) mend_free(mend_malloc(any_size()));
  assert_int_equal(table.live, live);
  for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
  end();
}

// Where nothing can be remembered the program has its blocks all the same.
static void without_memory_blocks_are_plain(void **state)
{
  (void)state;
  begin(1);
  table.refuses = true;
  for (size_t j = 0; j < BLOCKS; j++) blocks[j] = mend_malloc(any_size());
  for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
  table.refuses = false;
  assert_int_equal(table.added, 0);
  end();
}

static bool count_visible(void *block, size_t usable_size, void *sum)
{
  CHECK(usable_size > 0 &&
        !heap_page_has_samples(page_first(page_at(block))) == !find(block)->twin);
  *(size_t *)sum += 1;
  return true;
}

// Who visits the heap sees samples where their twins are, and no twins.
static void a_visitor_sees_samples_and_no_twins(void **state)
{
  (void)state;
  size_t before = 0, after = 0;
  assert_true(mend_heap_visit(NULL, count_visible, &before));
  begin(1);
  for (size_t j = 0; j < 1000; j++) blocks[j] = allocate_noted(1 + below(3000));
  assert_true(mend_heap_visit(NULL, count_visible, &after));
  assert_int_equal(after, before + 1000);
  for (size_t j = 0; j < 1000; j++) mend_free(blocks[j]);
  end();
}

static void a_heap_takes_its_records_along(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    begin(i == 0 ? MEND_PROFILE_EXACT : 1);
    mend_heap *heap = mend_heap_create();
    for (size_t j = 0; j < 100; j++) {
      size_t size = 1 + below(200000);
      note(mend_heap_malloc(heap, size), size);
    }
    assert_int_equal(table.live, 100);
    mend_heap_destroy(heap);
    truth.count_variance = truth.byte_variance = 1;
    end();
  }
}

int main(void)
{
  random_numbers.state = random_seed();
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_are_seen),
      cmocka_unit_test(what_was_there_before_is_unknown_rather_than_wrong),
      cmocka_unit_test(samples_outlive_the_mode),
      cmocka_unit_test(without_memory_blocks_are_plain),
      cmocka_unit_test(a_visitor_sees_samples_and_no_twins),
      cmocka_unit_test(a_heap_takes_its_records_along),
  };
  return SUITE_RUN(tests);
}
