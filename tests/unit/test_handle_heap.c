// SPDX-License-Identifier: MIT
//
// Heaps of handles: that they have nothing to do with each other, what becomes of their handles,
// lanes, and the child of a fork.
#define _GNU_SOURCE 1
#include "child.h"
#include "core/chunk.h"
#include "handles.h"

static struct mend_defrag_report report;

static size_t live_objects(struct handle_heap *of)
{
  return fragmentation_of(of).objects;
}

// ---------------------------------------------------------------------------------------------
// Heaps.

static void heaps_have_nothing_to_do_with_each_other(void **state)
{
  (void)state;
  struct handle_heap *other = handle_heap_create();
  assert_ptr_not_equal(heap, other);
  assert_ptr_equal(handle_heap_at(other->slot), other);
  make_sparse(300, 5);
  uint64_t handle = object_allocate(other, 16, 300, 0, 0);
  write_object(handle);
  assert_int_equal(handle_slot(handle), other->slot);
  assert_int_equal(live_objects(other), 1);
  void *place = place_of(handle);
  assert_int_equal(run_pass(&report, 0), MEND_OK);
  assert_true(count_moved() > 0);
  assert_ptr_equal(place_of(handle), place);
  assert_true(is_whole(handle));
  for (size_t i = 0; i < kept.count; i++) {  // the same entry of the other heap
    uint64_t foreign = (kept.handles[i] & ~(UINT64_C(511) << HANDLE_SLOT_SHIFT)) |
                       (uint64_t)other->slot << HANDLE_SLOT_SHIFT;
    if (foreign != handle) assert_null(object_resolve(foreign));
  }
  assert_true(scope_end_implicit());
  handle_heap_destroy(other);
  assert_null(handle_heap_at(other->slot));
  assert_int_equal(count_whole(), kept.count);
}

static void the_default_heap_is_there_once(void **state)
{
  (void)state;
  struct handle_heap *first = handle_heap_default();
  assert_non_null(first);
  assert_ptr_equal(handle_heap_default(), first);
  assert_int_equal(first->slot, 0);
  assert_int_not_equal(heap->slot, 0);
}

static void the_end_of_a_heap_is_the_end_of_its_handles_for_ever(void **state)
{
  (void)state;
  enum { ROUNDS = 5, EACH = 3000 };
  static uint64_t handles[ROUNDS][EACH];
  enum mend_status status;
  uint32_t slot = 0;
  for (size_t round = 0; round < ROUNDS; round++) {
    struct handle_heap *other = handle_heap_create();
    if (round == 0) slot = other->slot;
    assert_int_equal(other->slot, slot);  // the place is taken again
    for (size_t i = 0; i < EACH; i++) {
      size_t size = i % 100 == 0 ? 100000 : 100;
      handles[round][i] = object_allocate(other, 16, size, i % 7 == 0 ? MEND_ALLOC_PINNED : 0, 0);
      assert_int_equal(object_bytes(handles[round][i]), size);
      if (i % 5 == 0) assert_non_null(object_pin(handles[round][i], &status));
      if (i % 11 == 0) assert_int_equal(object_free(handles[round][i], i % 2 == 0), MEND_OK);
    }
    for (size_t before = 0; before < round; before++) {
      for (size_t i = 0; i < EACH; i++) {
        assert_int_equal(object_status(handles[before][i]), MEND_STALE);
        assert_null(object_resolve(handles[before][i]));
        assert_int_equal(object_free(handles[before][i], false), MEND_STALE);
      }
    }
    assert_true(scope_end_implicit());
    assert_int_equal(live_objects(other), EACH - (EACH + 10) / 11 + (EACH + 21) / 22);  // deferred
    if (round == 3) assert_true(mover_begin(other, &report));  // with a pass under way
    handle_heap_destroy(other);
    assert_null(other->mover);
    for (size_t i = 0; i < EACH; i++) {
      assert_int_equal(object_status(handles[round][i]), MEND_FOREIGN);
      assert_null(object_resolve(handles[round][i]));
    }
    assert_true(scope_end_implicit());
  }
}

static void the_memory_of_a_heap_that_ended_is_free(void **state)
{
  (void)state;
  struct chunk_statistics before = chunk_statistics();
  for (size_t i = 0; i < 20; i++) {
    struct handle_heap *mine = heap;
    heap = handle_heap_create();
    make_sparse(2000, 3);
    (void)make_object(5 * MIB);
    handle_heap_destroy(heap);
    heap = mine;
  }
  struct chunk_statistics after = chunk_statistics();
  assert_true(after.used_bytes <= before.used_bytes + MIB);
}

static void use_up_slots(void)
{
  static struct handle_heap *heaps[HANDLE_SLOTS];
  static uint64_t handles[HANDLE_SLOTS];
  size_t count = 0;
  while ((heaps[count] = handle_heap_create()) != NULL) {
    CHECK(count < HANDLE_SLOTS - 2);
    handles[count] = object_allocate(heaps[count], 16, 10, 0, 0);
    CHECK(handles[count] != 0);
    write_object(handles[count]);
    for (size_t i = 0; i < count; i += 50) CHECK(heaps[i] != heaps[count]);
    count++;
  }
  CHECK(count == HANDLE_SLOTS - 2);  // one is the default, and one the test's
  for (size_t i = 0; i < count; i++) CHECK(is_whole(handles[i]));
  handle_heap_destroy(heaps[100]);
  CHECK(object_status(handles[100]) == MEND_FOREIGN);
  CHECK(handle_heap_create() == heaps[100] && handle_heap_create() == NULL);
  for (size_t i = 0; i < count; i++) handle_heap_destroy(heaps[i]);
  CHECK(handle_heap_create() != NULL);
}

static void there_are_511_heaps_beside_the_default(void **state)
{
  (void)state;
  if (HAS_THREAD_SANITIZER || TEST_IS_VALGRIND) return;  // they leave too few addresses
  child_check(use_up_slots);
}

static void wear_out(void)
{
  struct handle_heap *other = handle_heap_create();
  uint32_t slot = other->slot;
  uint64_t handle = object_allocate(other, 16, 10, 0, 0);
  uint64_t old = handle_make(slot, handle_index(handle), ENTRY_GENERATION_MAX - 1);
  atomic_store(handle_entry(handle),
               entry_make(place_of(handle), ENTRY_GENERATION_MAX - 1, ENTRY_LIVE));
  CHECK(object_free(old, false) == MEND_OK);
  CHECK(object_status(old) == MEND_STALE);
  handle_heap_destroy(other);
  other = handle_heap_create();
  CHECK(other != NULL && other->slot != slot);
}

static void a_slot_whose_generations_are_used_up_is_not_taken_again(void **state)
{
  (void)state;
  child_check(wear_out);
}

// ---------------------------------------------------------------------------------------------
// Lanes.

static void who_finds_a_lane_taken_goes_to_another(void **state)
{
  (void)state;
  struct lane *lanes[HANDLE_LANES];
  for (size_t i = 0; i < HANDLE_LANES; i++) {
    lanes[i] = lane_enter(heap, false);
    assert_non_null(lanes[i]);
    assert_false(lanes[i]->is_still);
    for (size_t j = 0; j < i; j++) assert_ptr_not_equal(lanes[i], lanes[j]);
  }
  struct lane *still = lane_enter(heap, true);
  assert_true(still->is_still);
  lane_leave(still);
  lane_leave(lanes[HANDLE_LANES - 1]);
  assert_ptr_equal(lane_enter(heap, false), lanes[HANDLE_LANES - 1]);
  for (size_t i = 0; i < HANDLE_LANES; i++) lane_leave(lanes[i]);
  // As last time, and the first again now and then, where it stays.
  struct lane *first = atomic_load(&heap->lanes[0]);
  size_t changes = 0;
  struct lane *last = lanes[HANDLE_LANES - 1];
  for (size_t i = 0; i < 200; i++) {
    struct lane *lane = lane_enter(heap, false);
    changes += lane != last;
    last = lane;
    lane_leave(lane);
  }
  assert_ptr_equal(last, first);
  assert_true(changes <= 1);
}

enum { THREADS = 4, OWN = 200 };

static void *make_and_free(void *argument)
{
  static _Thread_local uint64_t own[OWN];
  struct random random = {(uintptr_t)argument};
  for (size_t i = 0; i < test_scaled(20000); i++) {
    uint64_t *place = &own[random_below(&random, OWN)];
    if (*place != 0) {
      CHECK(is_whole(*place));
      CHECK(object_free(*place, i % 3 == 0) == MEND_OK);
      *place = 0;
    } else {
      *place = make_object(random_size(&random, 3000));
    }
  }
  for (size_t i = 0; i < OWN; i++) {
    if (own[i] != 0) CHECK(object_free(own[i], false) == MEND_OK);
  }
  return NULL;
}

static void threads_allocate_and_free_at_the_same_time(void **state)
{
  (void)state;
  static char stride[THREADS];
  threads_run(THREADS, make_and_free, stride, 1);
  deferred_flush(heap);
  deferred_flush(heap);
  assert_int_equal(live_objects(heap), 0);
  (void)handle_heap_collect(heap, true);
  assert_int_equal(fragmentation_of(heap).resident_bytes, 0);
}

// ---------------------------------------------------------------------------------------------
// Fork.

static _Atomic(int) stage;
static struct lane *held;

static void *stay_in_lane(void *unused)
{
  heap_enter(&held->blocks);
  atomic_store(&stage, 1);
  while (atomic_load(&stage) == 1) os_sleep_us(100);
  lane_leave(held);
  return unused;
}

static void use_all_in_child(void)
{
  alarm(60);
  step_hook = NULL;
  CHECK(count_whole() == kept.count);
  for (size_t i = 0; i < 3; i++) CHECK(defrag_pass(&report) == MEND_OK);
  CHECK(count_whole() == kept.count);
  free_kept();
  make_sparse(300, 5);
  CHECK(defrag_pass(&report) == MEND_OK);
  CHECK(count_whole() == kept.count && count_moved() > 0);
  free_kept();
  CHECK(defrag_pass(&report) == MEND_OK);
  handle_heap_destroy(heap);
  heap = handle_heap_create();
  (void)make_object(100);
}

static void a_lane_that_another_thread_was_in_is_given_up(void **state)
{
  (void)state;
  pthread_t thread;
  report = (struct mend_defrag_report){.bytes = sizeof report};
  make_sparse(300, 5);
  held = lane_of(page_of_block(kept.places[0]));
  assert_int_equal(pthread_create(&thread, NULL, stay_in_lane, NULL), 0);
  while (atomic_load(&stage) == 0) sched_yield();
  child_check(use_all_in_child);
  atomic_store(&stage, 2);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(count_whole(), kept.count);
}

static _Atomic(int) mover_stage;

static void park(void)
{
  atomic_store(&mover_stage, 1);
  while (atomic_load(&mover_stage) == 1) os_sleep_us(100);
}

static void *move_to_copy(void *unused)
{
  struct mend_defrag_report own = {.bytes = sizeof own};
  ambush_at(STEP_COPY, 1, 1, park);
  CHECK(defrag_pass(&own) == MEND_OK);
  return unused;
}

// The lost mover had closed pages of the lost lane and of another.
static void a_lane_that_was_being_emptied_is_given_up(void **state)
{
  (void)state;
  pthread_t threads[2];
  static uint64_t others[OBJECTS];
  report = (struct mend_defrag_report){.bytes = sizeof report};
  struct lane *first = lane_enter(heap, false);
  for (size_t i = 0; i < OBJECTS; i++) others[i] = make_object(1000);
  for (size_t i = 0; i < OBJECTS; i++) {
    if (i % 5 != 0) assert_int_equal(object_free(others[i], false), MEND_OK);
  }
  held = lane_of(page_of_block(place_of(others[0])));
  struct lane *second = NULL;
  assert_true(lane_enter_number(heap, (uint32_t)(held == heap->lanes[0] ? 0 : 1), &second));
  lane_leave(first);
  make_sparse(300, 5);
  lane_leave(second);
  assert_ptr_not_equal(lane_of(page_of_block(kept.places[0])), held);
  atomic_store(&stage, 0);
  atomic_store(&mover_stage, 0);
  assert_int_equal(pthread_create(&threads[0], NULL, move_to_copy, NULL), 0);
  while (atomic_load(&mover_stage) == 0) sched_yield();
  assert_int_equal(pthread_create(&threads[1], NULL, stay_in_lane, NULL), 0);
  while (atomic_load(&stage) == 0) sched_yield();
  child_check(use_all_in_child);
  atomic_store(&stage, 2);
  atomic_store(&mover_stage, 2);
  for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(count_whole(), kept.count);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(heaps_have_nothing_to_do_with_each_other),
      HANDLES_TEST(the_default_heap_is_there_once),
      HANDLES_TEST(the_end_of_a_heap_is_the_end_of_its_handles_for_ever),
      HANDLES_TEST(the_memory_of_a_heap_that_ended_is_free),
      HANDLES_TEST(there_are_511_heaps_beside_the_default),
      HANDLES_TEST(a_slot_whose_generations_are_used_up_is_not_taken_again),
      HANDLES_TEST(who_finds_a_lane_taken_goes_to_another),
      HANDLES_TEST(threads_allocate_and_free_at_the_same_time),
      HANDLES_TEST(a_lane_that_another_thread_was_in_is_given_up),
      HANDLES_TEST(a_lane_that_was_being_emptied_is_given_up),
  };
  return SUITE_RUN(tests);
}
