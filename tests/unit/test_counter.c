// SPDX-License-Identifier: MIT
//
// The counter: it counts both ways, says when it has fallen below 0, is right as long as one thread
// changes it, and only loses counts when several do.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <pthread.h>

#include "base/counter.h"

enum { THREADS = 4, ROUNDS = 200000 };

static void it_counts_both_ways(void **state)
{
  (void)state;
  struct counter counter = {0};
  assert_int_equal(counter_get(&counter), 0);
  for (int32_t i = -300; i < 300; i++) {
    counter_set(&counter, i);
    assert_int_equal(counter_get(&counter), i);
    counter_increment(&counter);
    assert_int_equal(counter_get(&counter), i + 1);
    (void)counter_decrement(&counter);
    (void)counter_decrement(&counter);
    assert_int_equal(counter_get(&counter), i - 1);
  }
}

static void it_says_when_it_has_fallen_below_zero(void **state)
{
  (void)state;
  struct counter counter;
  for (int32_t start = 0; start < 300; start++) {
    counter_set(&counter, start);
    for (int32_t left = start; left > 0; left--) assert_false(counter_decrement(&counter));
    assert_int_equal(counter_get(&counter), 0);
    for (int32_t below = 1; below < 4; below++) {
      assert_true(counter_decrement(&counter));
      assert_int_equal(counter_get(&counter), -below);
    }
  }
}

static void it_holds_any_number(void **state)
{
  (void)state;
  struct counter counter;
  counter_set(&counter, INT32_MAX);
  assert_false(counter_decrement(&counter));
  assert_int_equal(counter_get(&counter), INT32_MAX - 1);
  counter_increment(&counter);
  assert_int_equal(counter_get(&counter), INT32_MAX);
  counter_set(&counter, INT32_MIN + 1);
  assert_true(counter_decrement(&counter));
  assert_int_equal(counter_get(&counter), INT32_MIN);
}

static void its_neighbours_are_left_alone(void **state)
{
  (void)state;
  struct {
    uint32_t before;
    struct counter counter;
    uint32_t after;
  } row = {UINT32_MAX, {0}, 0};
  assert_true(counter_decrement(&row.counter));
  counter_increment(&row.counter);
  counter_increment(&row.counter);
  assert_int_equal(row.before, UINT32_MAX);
  assert_int_equal(counter_get(&row.counter), 1);
  assert_int_equal(row.after, 0);
}

// ---------------------------------------------------------------------------------------------
// Several threads.

static struct counter shared;

static void *count_down(void *unused)
{
  for (size_t i = 0; i < ROUNDS; i++) (void)counter_decrement(&shared);
  return unused;
}

static void others_may_read_what_one_thread_changes(void **state)
{
  (void)state;
  pthread_t writer;
  counter_set(&shared, ROUNDS);
  assert_int_equal(pthread_create(&writer, NULL, count_down, NULL), 0);
  for (int32_t last = ROUNDS; last > 0;) {
    int32_t value = counter_get(&shared);
    assert_true(value >= 0 && value <= last);
    last = value;
  }
  assert_int_equal(pthread_join(writer, NULL), 0);
  assert_int_equal(counter_get(&shared), 0);
}

static void *count_below_zero(void *unused)
{
  for (size_t i = 0; i < ROUNDS; i++) {
    CHECK(counter_decrement(&shared));
    if (i % 16 == 0) counter_set(&shared, 0);
  }
  return unused;
}

// What bins without room live by.
static void no_count_appears_when_several_threads_count_down(void **state)
{
  (void)state;
  counter_set(&shared, 0);
  threads_run(THREADS, count_below_zero, NULL, 0);
  assert_in_range(-(int64_t)counter_get(&shared), 0, THREADS * ROUNDS);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_counts_both_ways),
      cmocka_unit_test(it_says_when_it_has_fallen_below_zero),
      cmocka_unit_test(it_holds_any_number),
      cmocka_unit_test(its_neighbours_are_left_alone),
      cmocka_unit_test(others_may_read_what_one_thread_changes),
      cmocka_unit_test(no_count_appears_when_several_threads_count_down),
  };
  return SUITE_RUN(tests);
}
