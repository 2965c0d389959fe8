// SPDX-License-Identifier: MIT
//
// The table of pins, by itself: counts, growth, and what is left when pins go in any order.
#include "handles.h"

enum { INDICES = 6000 };

static struct pin_table table;
static _Atomic(uint32_t) infos[INDICES];

static bool hold(uint32_t index)
{
  _Atomic(uint64_t) entry = entry_make(page_start(region.pages), 1, ENTRY_LIVE);
  uint64_t handle = handle_make(1, index, 1);
  return pin_hold(&table, handle, &entry, &infos[index % INDICES]) == PIN_HELD;
}

static bool release(uint32_t index)
{
  return pin_release(&table, index, &infos[index % INDICES]);
}

static bool is_pinned(uint32_t index)
{
  return (atomic_load(&infos[index % INDICES]) & INFO_PINNED) != 0;
}

static int start_empty(void **state)
{
  (void)state;
  init_once();
  for (size_t i = 0; i < INDICES; i++) atomic_store(&infos[i], 5);  // other bits stay as they are
  return handle_start() ? 0 : -1;
}

static int clear(void **state)
{
  (void)state;
  pin_table_assert_valid(&table);
  pin_table_clear(&table);
  for (size_t i = 0; i < INDICES; i++) CHECK((atomic_load(&infos[i]) & ~INFO_PINNED) == 5);
  return pin_table_array(&table)->places == 0 && table.used == 0 &&
                 pin_table_array(&table)->pins == NULL
             ? 0
             : -1;
}

#define PIN_TEST(function) cmocka_unit_test_setup_teardown(function, start_empty, clear)

static void an_index_is_pinned_until_it_was_released_as_often(void **state)
{
  (void)state;
  assert_false(release(7));
  for (size_t round = 0; round < 2; round++) {
    for (size_t i = 0; i < 5; i++) assert_true(hold(7));
    assert_int_equal(table.used, 1);
    for (size_t i = 0; i < 5; i++) {
      assert_true(is_pinned(7));
      assert_true(release(7));
    }
    assert_false(is_pinned(7));
    assert_false(release(7));
    assert_false(release(8));
    assert_int_equal(table.used, 0);
  }
}

static void a_count_never_overflows(void **state)
{
  (void)state;
  assert_true(hold(3));
  for (uint32_t i = 0; i < pin_table_array(&table)->places; i++) {
    if (pin_table_array(&table)->pins[i].count == 1)
      pin_table_array(&table)->pins[i].count = UINT32_MAX - 1;
  }
  assert_true(hold(3));
  assert_false(hold(3));
  assert_true(release(3));
  assert_true(is_pinned(3));
}

static void what_is_forgotten_is_no_longer_counted(void **state)
{
  (void)state;
  pin_forget(&table, 1);
  for (uint32_t i = 0; i < 100; i++) assert_true(hold(i) && hold(i));
  for (uint32_t i = 0; i < 100; i += 2) pin_forget(&table, i);
  pin_forget(&table, 100);
  assert_int_equal(table.used, 50);
  for (uint32_t i = 0; i < 100; i++) assert_int_equal(release(i), i % 2);
  for (uint32_t i = 0; i < 100; i++) assert_int_equal(release(i), i % 2);
  assert_int_equal(table.used, 0);
}

static void thousands_are_held_and_half_the_places_stay_free(void **state)
{
  (void)state;
  for (uint32_t i = 0; i < INDICES; i++) {
    assert_true(hold(i * 700001U));  // spread over all indices
    assert_true(table.used == i + 1 && 2 * table.used <= pin_table_array(&table)->places);
    assert_int_equal(pin_table_array(&table)->places & (pin_table_array(&table)->places - 1), 0);
  }
  for (uint32_t i = 0; i < INDICES; i++) assert_true(release(i * 700001U));
  assert_int_equal(table.used, 0);
}

// Indices that are at home in the same place, or right before the table's end.
static void pins_that_collide_are_found_whatever_goes_first(void **state)
{
  (void)state;
  enum { COUNT = 6 };
  for (uint32_t goes_first = 0; goes_first < COUNT; goes_first++) {
    for (uint32_t home = 0; home < 16; home++) {
      uint32_t found[COUNT];
      size_t count = 0;
      assert_true(hold(0) && release(0) && pin_table_array(&table)->places == 16);
      for (uint32_t index = 0; count < COUNT; index++) {
        uint32_t at = (uint32_t)((index * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & 15;
        if (at == home || at == ((home + 1 + count % 2) & 15)) found[count++] = index;
      }
      for (size_t i = 0; i < COUNT; i++) assert_true(hold(found[i]));
      for (size_t i = 0; i < COUNT; i++) assert_true(release(found[(i + goes_first) % COUNT]));
      for (size_t i = 0; i < COUNT; i++) assert_false(is_pinned(found[i]));
      assert_int_equal(table.used, 0);
    }
  }
}

static void at_random_the_table_is_as_a_plain_array(void **state)
{
  (void)state;
  static uint32_t counts[INDICES];
  struct random random = {random_seed()};
  uint32_t used = 0;
  memset(counts, 0, sizeof counts);
  for (size_t i = 0; i < test_scaled(300000); i++) {
    bool is_filling = i / 20000 % 2 == 0;
    uint32_t index = (uint32_t)random_below(&random, i / 40000 % 2 == 0 ? INDICES : 50);
    size_t choice = random_below(&random, 10);
    if (choice == 0) {
      pin_forget(&table, index);
      atomic_fetch_and(&infos[index], ~INFO_PINNED);
      used -= counts[index] > 0;
      counts[index] = 0;
    } else if (choice < (is_filling ? 7 : 4)) {
      assert_true(hold(index));
      used += counts[index]++ == 0;
    } else {
      assert_int_equal(release(index), counts[index] > 0);
      used -= counts[index] == 1;
      counts[index] -= counts[index] > 0;
    }
    assert_int_equal(is_pinned(index), counts[index] > 0);
    assert_int_equal(table.used, used);
  }
  for (uint32_t i = 0; i < INDICES; i++) {
    for (; counts[i] > 0; counts[i]--) assert_true(release(i));
    assert_false(release(i) || is_pinned(i));
  }
}

enum { THREADS = 4 };

static void *pin_and_unpin(void *unused)
{
  for (uint32_t i = 0; i < test_scaled(20000); i++) {
    CHECK(hold(i % 100));
    CHECK(is_pinned(i % 100));
    CHECK(release(i % 100));
  }
  return unused;
}

static void any_thread_may_pin(void **state)
{
  (void)state;
  static char stride[THREADS];
  threads_run(THREADS, pin_and_unpin, stride, 1);
  assert_int_equal(table.used, 0);
  for (uint32_t i = 0; i < 100; i++) assert_false(is_pinned(i));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      PIN_TEST(an_index_is_pinned_until_it_was_released_as_often),
      PIN_TEST(a_count_never_overflows),
      PIN_TEST(what_is_forgotten_is_no_longer_counted),
      PIN_TEST(thousands_are_held_and_half_the_places_stay_free),
      PIN_TEST(pins_that_collide_are_found_whatever_goes_first),
      PIN_TEST(at_random_the_table_is_as_a_plain_array),
      PIN_TEST(any_thread_may_pin),
  };
  return SUITE_RUN(tests);
}
