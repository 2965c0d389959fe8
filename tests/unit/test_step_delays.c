// SPDX-License-Identifier: MIT
//
// Random delays at every step of the protocol, in both modes: threads use objects of their own in
// all ways there are, and read each other's, while movers do pass after pass.
#define _GNU_SOURCE 1
#include "handles.h"

enum { USERS = 3, OWN = 2000, SHARED = 200 };

static uint64_t shared[SHARED];  // never freed before the end; everybody reads them
static _Atomic(bool) is_over;
static size_t moved;  // by all passes of a test

// One step in 32 yields, one in 512 sleeps.
static void delay(enum step step)
{
  static _Thread_local struct random random;
  (void)step;
  if (random.state == 0) random.state = os_thread_number();
  size_t draw = random_below(&random, 512);
  if (draw == 0) {
    os_sleep_us((uint32_t)random_below(&random, 60));
  } else if (draw < 16) {
    sched_yield();
  }
}

static void use(uint64_t *object, struct random *random)
{
  enum mend_status status;
  size_t choice = random_below(random, 8);
  CHECK(is_whole(*object));
  if (choice < 3) {
    CHECK(object_free(*object, choice == 0) == MEND_OK);
    CHECK(object_status(*object) == MEND_STALE);
    *object = make_object(random_size(random, 600));
  } else if (choice == 3) {
    CHECK(object_resize(*object, 16, random_size(random, 600)) == MEND_OK);
    write_object(*object);
  } else if (choice == 4) {
    void *place = object_pin(*object, &status);
    CHECK(place != NULL && place_of(*object) == place);
    write_object(*object);
    CHECK(place_of(*object) == place && object_unpin(*object) == MEND_OK);
  } else if (choice == 5) {
    scope_ensure();
    CHECK(object_resolve(*object) != NULL && scope_end_implicit());
  } else {
    write_object(*object);
  }
}

static void *work(void *seed)
{
  struct random random = {(uintptr_t)seed};
  uint64_t own[OWN];
  for (size_t i = 0; i < OWN; i++) own[i] = make_object(random_size(&random, 600));
  for (size_t i = 0; i < test_scaled(40000); i++) {
    use(&own[random_below(&random, OWN)], &random);
    CHECK(is_whole(shared[random_below(&random, SHARED)]));
  }
  for (size_t i = 0; i < OWN; i++) CHECK(is_whole(own[i]) && object_free(own[i], false) == MEND_OK);
  return NULL;
}

static void *move_on(void *unused)
{
  struct mend_defrag_report report;
  while (!atomic_load(&is_over)) {
    (void)run_pass(&report, UINT64_C(2000000));
    moved += report.objects_moved;
  }
  return unused;
}

static void with_delays_everywhere(bool is_strict)
{
  static char seeds[USERS];
  pthread_t mover;
  options.handle_strict = is_strict;
  for (size_t i = 0; i < SHARED; i++) shared[i] = make_object(100 + i);
  atomic_store(&is_over, false);
  moved = 0;
  step_hook = delay;
  assert_int_equal(pthread_create(&mover, NULL, move_on, NULL), 0);
  threads_run(USERS, work, seeds, 1);
  atomic_store(&is_over, true);
  assert_int_equal(pthread_join(mover, NULL), 0);
  step_hook = NULL;
  if (test_scaled(100) >= 20) assert_true(moved > 0);
  for (size_t i = 0; i < SHARED; i++) assert_true(is_whole(shared[i]));
  for (size_t i = 0; i < SHARED; i++) assert_int_equal(object_free(shared[i], false), MEND_OK);
  deferred_flush(heap);
  deferred_flush(heap);
  assert_int_equal(fragmentation_of(heap).objects, 0);
  pin_table_assert_valid(&heap->pins);
  handle_table_assert_valid(&heap->table);
}

static void nothing_is_lost_or_torn_whatever_is_late(void **state)
{
  (void)state;
  with_delays_everywhere(false);
}

static void nor_in_the_strict_mode(void **state)
{
  (void)state;
  with_delays_everywhere(true);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(nothing_is_lost_or_torn_whatever_is_late),
      HANDLES_TEST(nor_in_the_strict_mode),
  };
  return SUITE_RUN(tests);
}
