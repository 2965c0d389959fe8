// SPDX-License-Identifier: MIT
//
// Objects that are freed later: when their memory goes, and that all of it does.
#define _GNU_SOURCE 1
#include "child.h"
#include "handles.h"

static size_t live_blocks(void)
{
  return fragmentation_of(heap).objects;
}

static void flush(void)
{
  deferred_flush(heap);
}

static void the_handle_is_stale_at_once_and_the_memory_goes_after_the_scope(void **state)
{
  (void)state;
  uint64_t handle = make_object(100);
  char *address = place_of(handle);
  visitor_come(handle);
  assert_int_equal(object_free(handle, true), MEND_OK);
  assert_int_equal(object_status(handle), MEND_STALE);
  assert_int_equal(object_free(handle, true), MEND_STALE);
  for (size_t i = 0; i < 5; i++) flush();
  assert_int_equal(live_blocks(), 1);
  assert_int_equal(pattern_difference(address, 100, handle), 100);
  for (size_t i = 0; i < 1000; i++) assert_ptr_not_equal(place_of(make_object(100)), address);
  visitor_go();
  flush();
  assert_int_equal(live_blocks(), 1000);
}

static void without_a_scope_a_flush_frees_at_once(void **state)
{
  (void)state;
  uint64_t handle = make_object(100);
  assert_int_equal(object_free(handle, true), MEND_OK);
  assert_int_equal(live_blocks(), 1);
  flush();
  assert_int_equal(live_blocks(), 0);
  flush();
}

static void a_scope_that_is_opened_later_is_not_waited_for(void **state)
{
  (void)state;
  uint64_t handle = make_object(100);
  visitor_come(0);
  assert_int_equal(object_free(handle, true), MEND_OK);
  flush();
  visitor_go();
  visitor_come(0);
  flush();
  assert_int_equal(live_blocks(), 0);
  visitor_go();
}

// What waits is not what is added meanwhile: that has a grace period of its own.
static void what_is_freed_while_others_wait_waits_for_its_own_time(void **state)
{
  (void)state;
  uint64_t first = make_object(100);
  uint64_t second = make_object(100);
  visitor_come(0);
  assert_int_equal(object_free(first, true), MEND_OK);
  flush();
  visitor_go();
  visitor_come(second);
  assert_int_equal(object_free(second, true), MEND_OK);
  flush();  // the first goes, the second begins to wait
  assert_int_equal(live_blocks(), 1);
  assert_int_equal(pattern_difference(visitor.address, 100, second), 100);
  visitor_go();
  flush();
  assert_int_equal(live_blocks(), 0);
}

static void long_chains_are_freed_without_a_flush(void **state)
{
  (void)state;
  enum { COUNT = 3000 };
  static uint64_t handles[COUNT];
  for (size_t i = 0; i < COUNT; i++) handles[i] = make_object(i % 10 == 0 ? 70000 : 50);
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(object_free(handles[i], true), MEND_OK);
  assert_true(live_blocks() <= 3 * 256);
  flush();
  flush();
  assert_int_equal(live_blocks(), 0);
}

// Large ones do not wait until there are many.
static void much_memory_is_freed_without_a_flush(void **state)
{
  (void)state;
  for (size_t i = 0; i < 50; i++) {
    assert_int_equal(object_free(make_object(MIB), true), MEND_OK);
    assert_true(live_blocks() <= 3);
  }
}

static void while_a_scope_is_open_chains_of_any_length_wait(void **state)
{
  (void)state;
  enum { COUNT = 3000 };
  static uint64_t handles[COUNT];
  for (size_t i = 0; i < COUNT; i++) handles[i] = make_object(50);
  visitor_come(0);
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(object_free(handles[i], true), MEND_OK);
  assert_int_equal(live_blocks(), COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(pattern_difference(place_of(handles[i]), 50, handles[i]), 50);
  }
  visitor_go();
  flush();
  flush();
  assert_int_equal(live_blocks(), 0);
  for (size_t i = 0; i < COUNT; i++) {  // the entries are in use again, too
    uint64_t handle = make_object(50);
    assert_true(handle_index(handle) < 4 * COUNT);
    for (size_t j = 0; j < COUNT; j += 500) assert_true(handle != handles[j]);
  }
}

static void pinned_and_still_objects_go_too(void **state)
{
  (void)state;
  enum mend_status status;
  uint64_t pinned = make_object(100);
  uint64_t still = object_allocate(heap, 16, 100, MEND_ALLOC_PINNED, 0);
  assert_non_null(object_pin(pinned, &status));
  assert_int_equal(object_free(pinned, true), MEND_OK);
  assert_int_equal(object_free(still, true), MEND_OK);
  flush();
  assert_int_equal(live_blocks(), 0);
  assert_int_equal(heap->pins.used, 0);
}

// ---------------------------------------------------------------------------------------------
// Readers hold addresses of what others free.

enum { READERS = 3, SLOTS = 16 };

static _Atomic(uint64_t) slots[SLOTS];
static _Atomic(bool) is_over;

static void *read_slots(void *unused)
{
  for (size_t i = 0; !atomic_load(&is_over); i++) {
    scope_enter();
    uint64_t handle = atomic_load(&slots[i % SLOTS]);
    const void *address = object_resolve(handle);
    if (address != NULL) {
      CHECK(pattern_difference(address, 200, handle) == 200);
      if (i % 16 == 0) sched_yield();
      CHECK(pattern_difference(address, 200, handle) == 200);
    }
    scope_leave();
  }
  return unused;
}

static void nobody_sees_another_object_at_an_address_it_has_resolved(void **state)
{
  (void)state;
  pthread_t threads[READERS];
  for (size_t i = 0; i < SLOTS; i++) atomic_store(&slots[i], make_object(200));
  for (size_t i = 0; i < READERS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, read_slots, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(50000); i++) {
    uint64_t old = atomic_exchange(&slots[i % SLOTS], make_object(200));
    assert_int_equal(object_free(old, true), MEND_OK);
    if (i % 100 == 0) flush();
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  flush();
  flush();
  assert_int_equal(live_blocks(), SLOTS);
}

static void flush_in_child(void)
{
  flush();
  flush();
  CHECK(live_blocks() == 0);
}

static void in_the_child_of_a_fork_nobody_is_in_the_way(void **state)
{
  (void)state;
  uint64_t handle = make_object(100);
  visitor_come(0);
  assert_int_equal(object_free(handle, true), MEND_OK);
  flush();
  child_check(flush_in_child);
  visitor_go();
  flush();
  assert_int_equal(live_blocks(), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(the_handle_is_stale_at_once_and_the_memory_goes_after_the_scope),
      HANDLES_TEST(without_a_scope_a_flush_frees_at_once),
      HANDLES_TEST(a_scope_that_is_opened_later_is_not_waited_for),
      HANDLES_TEST(what_is_freed_while_others_wait_waits_for_its_own_time),
      HANDLES_TEST(long_chains_are_freed_without_a_flush),
      HANDLES_TEST(much_memory_is_freed_without_a_flush),
      HANDLES_TEST(while_a_scope_is_open_chains_of_any_length_wait),
      HANDLES_TEST(pinned_and_still_objects_go_too),
      HANDLES_TEST(nobody_sees_another_object_at_an_address_it_has_resolved),
      HANDLES_TEST(in_the_child_of_a_fork_nobody_is_in_the_way),
  };
  return SUITE_RUN(tests);
}
