// SPDX-License-Identifier: MIT
//
// Nobody waits for a mover that has been stopped: not at any step of the protocol, the first time
// that it comes there or a later one. While it stands still other threads do with its objects, and
// with others, all that programs do, and every call returns; a watchdog says which one did not.
//
// The exceptions, as the documentation has them. In the strict mode who wants the very object that
// is being copied waits for the copy. And some calls, not tried here, want to see or end a whole
// heap and wait for whoever is inside of a lane: mend_fragmentation_get, mend_defragment_plan,
// mend_stats_get and what is built on it, mend_heap_map_write, mend_handle_heap_destroy,
// mend_defragment_stop.
#define _GNU_SOURCE 1
#include "stopped.h"

#include <stdio.h>

#define IS_ALWAYS_STRICT (HAS_THREAD_SANITIZER || ANNOTATE_ACTIVE)

enum { COUNT = 1500, SIZE = 200, STRIDE = 4, USERS = 3, PATIENCE_MS = 60000 };

// ---------------------------------------------------------------------------------------------
// What a program does with an object of its own. Who frees one makes another in its place.

static void use(uint64_t *object)
{
  CHECK(is_whole(*object));
  write_object(*object);
}

static void use_without_a_scope(uint64_t *object)
{
  const void *address = object_resolve(*object);
  CHECK(pattern_difference(address, SIZE, *object) == SIZE);
  CHECK(object_resolve(*object) == address);
  CHECK(scope_end_implicit());
}

static void ask(uint64_t *object)
{
  CHECK(object_bytes(*object) == SIZE);
  CHECK(object_type(*object) == 0 && object_status(*object) == MEND_OK);
}

static void pin_and_unpin(uint64_t *object)
{
  enum mend_status status;
  const void *address = object_pin(*object, &status);
  CHECK(status == MEND_OK && pattern_difference(address, SIZE, *object) == SIZE);
  CHECK(object_pin(*object, &status) == address);
  CHECK(object_unpin(*object) == MEND_OK && object_unpin(*object) == MEND_OK);
}

static void resize(uint64_t *object)
{
  CHECK(object_resize(*object, 16, SIZE + 1) == MEND_OK);
  CHECK(object_resize(*object, 16, 3 * SIZE) == MEND_OK);
  CHECK(object_resize(*object, 16, SIZE) == MEND_OK);
  CHECK(is_whole(*object));
}

static void replace(uint64_t *object)
{
  CHECK(object_free(*object, false) == MEND_OK);
  *object = make_object(SIZE);
}

static void replace_later(uint64_t *object)
{
  CHECK(object_free(*object, true) == MEND_OK);
  *object = make_object(SIZE);
}

// The lane of a still or large object is one that movers have no business in, but to give back.
static void make_others(uint64_t *object)
{
  static const struct {
    size_t size;
    unsigned flags;
  } kinds[] = {{SIZE, 0}, {SIZE, MEND_ALLOC_ZEROED}, {SIZE, MEND_ALLOC_PINNED}, {20000, 0}};
  (void)object;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    uint64_t other = object_allocate(heap, 16, kinds[i].size, kinds[i].flags, 0);
    CHECK(other != 0);
    write_object(other);
    CHECK(object_free(other, i % 2 != 0) == MEND_OK);
  }
}

static void nest_scopes(uint64_t *object)
{
  scope_enter();
  scope_enter();
  CHECK(object_resolve(*object) != NULL);
  scope_leave();
  scope_leave();
}

static const struct {
  const char *name;
  void (*function)(uint64_t *object);
} operations[] = {
    {"resolve", use},
    {"resolve without a scope", use_without_a_scope},
    {"size, type, status", ask},
    {"pin, unpin", pin_and_unpin},
    {"realloc", resize},
    {"alloc, free", make_others},
    {"free", replace},
    {"deferred free", replace_later},
    {"scope", nest_scopes},
};

// ---------------------------------------------------------------------------------------------
// Users, and the watchdog.

static struct {
  pthread_t thread;
  _Atomic(size_t) calls;  // made
  _Atomic(const char *) doing;
  _Atomic(bool) is_done;
} users[USERS];

static uint64_t being_copied;  // in the strict mode: whoever wants it waits

// Large objects are in lanes that movers only measure and tidy: each user has one from before.
static uint64_t large_ones[USERS];

static void use_large_one(size_t self)
{
  uint64_t *large = &large_ones[self];
  atomic_store(&users[self].doing, "realloc of a large object");
  CHECK(object_resize(*large, 16, 300 * KIB) == MEND_OK && object_bytes(*large) == 300 * KIB);
  atomic_store(&users[self].doing, "alloc of a large object");
  uint64_t another = make_object(100 * KIB);
  atomic_store(&users[self].doing, "free of a large object");
  CHECK(object_free(*large, false) == MEND_OK);
  *large = another;
}

// Each user has the objects of every USERS-th place, those that are being moved and others. All of
// the operations are done with each, another one first each time: that meets the mover's mark.
static void *use_all(void *number)
{
  enum { OPERATIONS = sizeof operations / sizeof operations[0] };
  size_t self = (size_t)number;
  for (size_t i = 0; i < OPERATIONS; i++) {
    for (size_t at = self; at < kept.count; at += USERS) {
      if (kept.handles[at] == being_copied) continue;
      size_t next = (at / USERS + i) % OPERATIONS;
      atomic_store(&users[self].doing, operations[next].name);
      operations[next].function(&kept.handles[at]);
      atomic_fetch_add(&users[self].calls, 1);
    }
  }
  use_large_one(self);
  atomic_store(&users[self].is_done, true);
  return NULL;
}

static void *make_one(void *unused)
{
  atomic_store(&users[0].doing, "alloc");
  CHECK(object_free(make_object(SIZE), false) == MEND_OK);
  atomic_store(&users[0].is_done, true);
  return unused;
}

static void start_user(size_t number, void *(*function)(void *))
{
  atomic_store(&users[number].calls, 0);
  atomic_store(&users[number].doing, "nothing");
  atomic_store(&users[number].is_done, false);
  CHECK(pthread_create(&users[number].thread, NULL, function, (void *)number) == 0);
}

static void await_user(size_t number)
{
  size_t seen = 0;
  for (size_t still_ms = 0; !atomic_load(&users[number].is_done); still_ms++) {
    size_t calls = atomic_load(&users[number].calls);
    if (calls != seen) still_ms = 0;
    seen = calls;
    bool is_hanging = still_ms == PATIENCE_MS;
    if (is_hanging) {
      fprintf(stderr, "a mover that stands at step %d, passage %zu, is in the way of: %s\n",
              (int)stopped.stop.step, stopped.stop.passage, atomic_load(&users[number].doing));
    }
    CHECK(!is_hanging);
    os_sleep_ms(1);
  }
  CHECK(pthread_join(users[number].thread, NULL) == 0);
}

// ---------------------------------------------------------------------------------------------
// Every step.

static void find_what_is_being_copied(void)
{
  being_copied = 0;
  for (size_t i = 0; i < kept.count; i++) {
    if (state_of(kept.handles[i]) != ENTRY_COPYING) continue;
    CHECK(being_copied == 0 && (IS_ALWAYS_STRICT || options.handle_strict));
    being_copied = kept.handles[i];
  }
}

// Objects that wait to be freed, so that a pass has something to do about it.
static void free_some_later(void)
{
  for (size_t i = 0; i < 10; i++) CHECK(object_free(make_object(SIZE), true) == MEND_OK);
}

// Says whether a pass comes to the step so often.
static bool stop_at(enum step step, size_t passage)
{
  bool has_scope_in_the_way = step == STEP_GRACE_WAIT;
  make_sparse_of(COUNT, SIZE, STRIDE);
  free_some_later();
  for (size_t i = 0; i < USERS; i++) large_ones[i] = make_object(100 * KIB);
  if (has_scope_in_the_way) visitor_come(0);
  bool stands_still = stopped_start(step, passage);
  if (stands_still) {
    find_what_is_being_copied();
    for (size_t i = 0; i < USERS; i++) start_user(i, use_all);
    for (size_t i = 0; i < USERS; i++) await_user(i);
  }
  if (has_scope_in_the_way) visitor_go();
  enum mend_status status = stopped_end();
  assert_true(status == MEND_OK || (has_scope_in_the_way && !stands_still));
  assert_int_equal(count_whole(), kept.count);
  assert_int_equal(count_in_state(ENTRY_LIVE), kept.count);
  for (size_t i = 0; i < USERS; i++) CHECK(object_free(large_ones[i], false) == MEND_OK);
  free_kept();
  return stands_still;
}

static bool is_a_movers(enum step step)
{
  switch (step) {
  case STEP_INFO_STORE:
  case STEP_PIN:
  case STEP_COPY_WAIT:
    return false;
  case STEP_ENTRY_PUBLISH:
    return IS_ALWAYS_STRICT || options.handle_strict;
  default:
    return true;
  }
}

static void stop_everywhere(void)
{
  static const size_t passages[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 50, 300};
  size_t count = bits_smaller(sizeof passages / sizeof passages[0], test_scaled(12));
  for (int step = 0; step < STEP_COUNT; step++) {
    assert_int_equal(stop_at((enum step)step, 1), is_a_movers((enum step)step));
    for (size_t i = 1; i < count; i++) {
      if (!stop_at((enum step)step, passages[i])) break;
    }
  }
}

static void a_mover_that_stands_still_is_in_nobodys_way(void **state)
{
  (void)state;
  stop_everywhere();
}

static void in_the_strict_mode_only_the_object_being_copied_is_waited_for(void **state)
{
  (void)state;
  options.handle_strict = true;
  stop_everywhere();
}

// ---------------------------------------------------------------------------------------------

static _Atomic(size_t) waits;

static void count_waits(enum step step)
{
  if (step == STEP_COPY_WAIT) atomic_fetch_add(&waits, 1);
}

static void *use_what_is_being_copied(void *function)
{
  void (*use_it)(uint64_t * object);
  memcpy(&use_it, function, sizeof use_it);
  uint64_t object = being_copied;
  use_it(&object);
  atomic_store(&users[0].is_done, true);
  return NULL;
}

// The exception.
static void in_the_strict_mode_who_wants_the_object_being_copied_waits_for_the_copy(void **state)
{
  (void)state;
  static void (*const functions[])(uint64_t * object) = {
      use, use_without_a_scope, ask, pin_and_unpin, resize, replace, replace_later};
  options.handle_strict = true;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    void (*function)(uint64_t * object) = functions[i];
    make_sparse_of(COUNT, SIZE, STRIDE);
    assert_true(stopped_start(STEP_COPY, i + 1));
    find_what_is_being_copied();
    assert_true(being_copied != 0);
    atomic_store(&waits, 0);
    step_hook = count_waits;
    atomic_store(&users[0].is_done, false);
    assert_int_equal(pthread_create(&users[0].thread, NULL, use_what_is_being_copied, &function),
                     0);
    while (atomic_load(&waits) < 10) os_sleep_us(100);
    assert_false(atomic_load(&users[0].is_done));
    assert_int_equal(stopped_end(), MEND_OK);
    assert_int_equal(pthread_join(users[0].thread, NULL), 0);
    handle_heap_destroy(heap);
    heap = handle_heap_create();
  }
}

// A mover is inside of one lane, others are inside of the rest, and one of those leaves.
static void who_finds_every_lane_taken_goes_into_the_first_that_is_left(void **state)
{
  (void)state;
  struct lane *lanes[HANDLE_LANES];
  for (uint32_t i = 0; i < HANDLE_LANES; i++) lanes[i] = lane_enter(heap, false);
  for (uint32_t i = 0; i < HANDLE_LANES; i++) lane_leave(lanes[i]);
  make_sparse_of(COUNT, SIZE, STRIDE);
  assert_true(stopped_start(STEP_CLOSE_PAGE, 1));
  assert_false(heap_try_enter(&heap->lanes[0]->blocks));
  for (uint32_t i = 1; i < HANDLE_LANES; i++) assert_true(lane_enter_number(heap, i, &lanes[i]));
  start_user(0, make_one);  // a new thread: it tries lane 0 first
  os_sleep_ms(20);
  assert_false(atomic_load(&users[0].is_done));
  lane_leave(lanes[HANDLE_LANES - 1]);
  await_user(0);
  for (uint32_t i = 1; i < HANDLE_LANES - 1; i++) lane_leave(lanes[i]);
  assert_int_equal(stopped_end(), MEND_OK);
  assert_int_equal(count_whole(), kept.count);
}

static _Atomic(int) leaver_stage;  // 1: its scope is open, 2: it is to end

static void *end_within_a_scope(void *is_implicit)
{
  if (is_implicit != NULL) {
    (void)object_resolve(kept.handles[0]);
  } else {
    scope_enter();
  }
  atomic_store(&leaver_stage, 1);
  while (atomic_load(&leaver_stage) == 1) os_sleep_us(100);
  pthread_exit(NULL);
}

static void the_end_of_a_thread_within_its_scope_ends_a_movers_wait(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    pthread_t leaver;
    make_sparse_of(COUNT, SIZE, STRIDE);
    atomic_store(&leaver_stage, 0);
    assert_int_equal(pthread_create(&leaver, NULL, end_within_a_scope, (void *)i), 0);
    while (atomic_load(&leaver_stage) == 0) sched_yield();
    assert_true(stopped_start(STEP_GRACE_WAIT, 1));  // the mover waits for that scope
    atomic_store(&leaver_stage, 2);
    assert_int_equal(pthread_join(leaver, NULL), 0);
    assert_int_equal(stopped_end(), MEND_OK);
    assert_true(count_moved() > 0);
    assert_int_equal(count_whole(), kept.count);
    free_kept();
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(a_mover_that_stands_still_is_in_nobodys_way),
      HANDLES_TEST(in_the_strict_mode_only_the_object_being_copied_is_waited_for),
      HANDLES_TEST(in_the_strict_mode_who_wants_the_object_being_copied_waits_for_the_copy),
      HANDLES_TEST(who_finds_every_lane_taken_goes_into_the_first_that_is_left),
      HANDLES_TEST(the_end_of_a_thread_within_its_scope_ends_a_movers_wait),
  };
  return SUITE_RUN(tests);
}
