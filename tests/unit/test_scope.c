// SPDX-License-Identifier: MIT
//
// Scopes and grace periods: who is waited for and who is not, how long, and what becomes of the
// scopes of threads that end.
#define _GNU_SOURCE 1
#include "child.h"
#include "handles.h"

#include "core/metadata.h"

#define LONG_NS UINT64_C(20000000000)

static uint64_t soon(void)
{
  return os_clock_ns() + 2000000;
}

static bool is_open(void)
{
  return scope_mine != NULL && (atomic_load(&scope_mine->word) & 1) != 0;
}

// ---------------------------------------------------------------------------------------------
// One thread.

static void scopes_nest_and_the_outermost_counts(void **state)
{
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    assert_false(is_open());
    scope_enter();
    uint64_t word = atomic_load(&scope_mine->word);
    assert_int_equal(word >> 1, atomic_load(&scope_epoch));
    (void)scope_advance();
    scope_enter();
    scope_enter();
    scope_leave();
    scope_leave();
    assert_int_equal(atomic_load(&scope_mine->word), word);
    scope_leave();
    assert_false(is_open());
  }
}

static void a_leave_without_an_enter_does_nothing(void **state)
{
  (void)state;
  scope_leave();
  assert_int_equal(scope_depth(), 0);
  scope_enter();
  scope_leave();
  scope_leave();
  assert_int_equal(scope_depth(), 0);
  scope_ensure();
  scope_leave();
  scope_leave();
  assert_true(is_open() && scope_mine->is_implicit);  // an implicit scope is nobody's to leave
  assert_true(scope_end_implicit());
  assert_false(is_open());
}

static void an_implicit_scope_ends_when_it_is_said_to(void **state)
{
  (void)state;
  assert_true(scope_end_implicit());
  scope_ensure();
  assert_true(is_open() && scope_mine->is_implicit);
  scope_ensure();
  scope_enter();
  assert_false(scope_end_implicit());
  scope_leave();
  assert_true(is_open());
  assert_true(scope_end_implicit());
  assert_false(is_open() || scope_mine->is_implicit);
  scope_enter();
  scope_ensure();
  assert_false(scope_mine->is_implicit);
  assert_false(scope_end_implicit());
  assert_true(is_open());
  scope_leave();
  assert_false(is_open());
}

// ---------------------------------------------------------------------------------------------
// Grace periods.

static void older_scopes_are_waited_for_and_younger_ones_are_not(void **state)
{
  (void)state;
  uint64_t nobodys = scope_advance();
  assert_true(scope_wait(nobodys, os_clock_ns() + LONG_NS));
  visitor_come(0);
  assert_true(scope_is_past(nobodys));
  uint64_t epoch = scope_advance();
  assert_true(scope_is_past(nobodys));
  assert_false(scope_is_past(epoch));
  scope_enter();
  visitor_go();
  assert_true(scope_is_past(epoch));
  assert_false(scope_is_past(scope_advance()));
  scope_leave();
  assert_true(scope_is_past(atomic_load(&scope_epoch)));
}

static void who_reopens_its_scope_is_not_in_the_way(void **state)
{
  (void)state;
  scope_enter();
  uint64_t epoch = scope_advance();
  assert_false(scope_is_past(epoch));
  scope_leave();
  scope_enter();
  assert_true(scope_is_past(epoch));
  scope_leave();
}

static uint64_t seen_epoch;

static void advance(void)
{
  seen_epoch = scope_advance();
}

static void who_is_late_to_say_it_is_open_is_waited_for(void **state)
{
  (void)state;
  ambush_at(STEP_SCOPE_OPEN, 1, 1, advance);  // after it has read the epoch
  scope_enter();
  assert_int_equal(ambush.sprung, 1);
  assert_false(scope_is_past(seen_epoch));
  scope_leave();
  assert_true(scope_is_past(seen_epoch));
  ambush_at(STEP_SCOPE_OPENED, 1, 1, advance);
  scope_enter();
  assert_false(scope_is_past(seen_epoch));
  ambush_at(STEP_SCOPE_CLOSE, 1, 1, advance);
  scope_leave();
  assert_true(scope_is_past(seen_epoch));
}

static void *leave_later(void *unused)
{
  os_sleep_ms(30);
  atomic_store(&visitor.stage, 2);
  return unused;
}

static void a_wait_ends_with_the_scope_or_at_the_deadline(void **state)
{
  (void)state;
  pthread_t thread;
  visitor_come(0);
  uint64_t epoch = scope_advance();
  uint64_t start = os_clock_ns();
  assert_false(scope_wait(epoch, start + 15000000));
  assert_true(os_clock_ns() - start >= 15000000);
  assert_false(scope_wait(epoch, 0));
  assert_int_equal(pthread_create(&thread, NULL, leave_later, NULL), 0);
  assert_true(scope_wait(epoch, os_clock_ns() + LONG_NS));
  assert_true(os_clock_ns() - start < LONG_NS);
  assert_int_equal(pthread_join(thread, NULL), 0);
  visitor_go();
}

static void blockers_are_named(void **state)
{
  (void)state;
  struct mend_blocker blockers[3];
  uint64_t handle = make_object(10);
  for (size_t i = 0; i < 2; i++) {
    uint64_t start_ns = os_clock_ns();
    visitor_come(i == 0 ? 0 : handle);
    uint64_t epoch = scope_advance();
    assert_int_equal(scope_blockers(epoch, blockers, 3), 1);
    assert_true(blockers[0].scope_age_ns <= os_clock_ns() - start_ns);
    assert_int_equal(blockers[0].thread, visitor.number);
    assert_int_equal(blockers[0].is_implicit, i);
    uint64_t age = blockers[0].scope_age_ns;
    os_sleep_ms(10);
    epoch = scope_advance();
    scope_enter();
    (void)scope_advance();
    assert_int_equal(scope_blockers(epoch, blockers, 3), 1);
    assert_true(blockers[0].scope_age_ns >= age + 10000000);
    epoch = scope_advance();
    assert_int_equal(scope_blockers(epoch, blockers, 3), 2);
    assert_true(blockers[0].thread != blockers[1].thread);
    assert_int_equal(scope_blockers(epoch, blockers, 1), 1);
    scope_leave();
    visitor_go();
    assert_int_equal(scope_blockers(epoch, blockers, 3), 0);
  }
}

// ---------------------------------------------------------------------------------------------
// Threads that end.

static struct scope_record *last_record;

static void open_and_end(void)
{
  scope_enter();
  scope_enter();
  last_record = scope_mine;
}

static void open_implicitly_and_end(void)
{
  scope_ensure();
  last_record = scope_mine;
}

static void the_end_of_a_thread_closes_its_scope_and_its_record_is_used_again(void **state)
{
  (void)state;
  struct scope_record *first = NULL;
  for (size_t i = 0; i < 20; i++) {
    run_elsewhere(i % 2 == 0 ? open_and_end : open_implicitly_and_end);
    if (first == NULL) first = last_record;
    assert_ptr_equal(last_record, first);
    assert_int_equal(first->thread, 0);
    assert_true(scope_is_past(scope_advance()));
  }
}

static uint32_t lost_number;

static void say_number(void)
{
  lost_number = os_thread_number();
}

// Makes last_record the open one of a thread that is gone. Returns the epoch that it is in the way
// of.
static uint64_t leave_a_scope_behind(void)
{
  run_elsewhere(open_and_end);
  run_elsewhere(say_number);
  atomic_store(&last_record->word, atomic_load(&scope_epoch) << 1 | 1);
  atomic_store(&last_record->thread, lost_number);
  return scope_advance();
}

static void a_dead_thread_that_nobody_told_of_is_buried(void **state)
{
  (void)state;
  uint64_t epoch = leave_a_scope_behind();
  assert_false(scope_is_past(epoch));
  assert_true(scope_wait(epoch, soon()));
  assert_int_equal(last_record->thread, 0);
  struct scope_record *buried = last_record;
  run_elsewhere(open_and_end);
  assert_ptr_equal(last_record, buried);
}

// The dead thread's record is buried by another mover, and has a new thread.
static void give_the_record_away(void)
{
  atomic_store(&last_record->word, 0);
  atomic_store(&last_record->thread, 0);
  visitor_come(0);
}

static void who_inherits_a_dead_threads_record_is_not_buried(void **state)
{
  (void)state;
  uint64_t epoch = leave_a_scope_behind();
  ambush_at(STEP_SCOPE_CLOSE, 1, 1, give_the_record_away);
  (void)scope_wait(epoch, soon());
  assert_int_equal(ambush.sprung, 1);
  step_hook = NULL;
  assert_int_equal(last_record->thread, visitor.number);
  assert_false(scope_is_past(scope_advance()));
  visitor_go();
}

static void the_living_are_not_buried(void **state)
{
  (void)state;
  visitor_come(0);
  uint64_t epoch = scope_advance();
  assert_false(scope_wait(epoch, soon()));
  assert_false(scope_is_past(epoch));
  visitor_go();
}

// ---------------------------------------------------------------------------------------------
// Without memory for a record, and fork.

static _Atomic(int) poor_stage;

static void wait_for(int stage)
{
  while (atomic_load(&poor_stage) != stage) sched_yield();
}

static void *open_without_record(void *unused)
{
  wait_for(1);
  scope_enter();
  scope_enter();
  atomic_store(&poor_stage, scope_mine == NULL ? 2 : 9);
  wait_for(3);
  scope_leave();
  scope_leave();
  atomic_store(&poor_stage, 4);
  return unused;
}

static void be_poor(void)
{
  pthread_t thread;
  uint64_t handle = make_object(10);
  scope_enter();
  scope_leave();
  CHECK(pthread_create(&thread, NULL, open_without_record, NULL) == 0);
  struct rlimit none = {0, 0};
  CHECK(setrlimit(RLIMIT_DATA, &none) == 0 && setrlimit(RLIMIT_AS, &none) == 0);
  size_t pieces = 0;
  while (pieces < 1000000 && metadata_allocate(sizeof(struct scope_record)) != NULL) pieces++;
  if (pieces == 1000000) _exit(0);
  atomic_store(&poor_stage, 1);
  while (atomic_load(&poor_stage) == 1) sched_yield();
  CHECK(atomic_load(&poor_stage) == 2);
  uint64_t epoch = scope_advance();
  CHECK(!scope_wait(epoch, soon()) && !scope_is_past(epoch));
  CHECK(is_whole(handle));
  atomic_store(&poor_stage, 3);
  wait_for(4);
  CHECK(!scope_is_past(epoch));  // for nobody knows that the thread's scopes have closed
}

static void a_scope_without_a_record_is_waited_for_too(void **state)
{
  (void)state;
  if (HAS_ADDRESS_SANITIZER || HAS_THREAD_SANITIZER || HAS_MEMORY_SANITIZER) return;
  if (TEST_IS_VALGRIND) return;
  child_check(be_poor);
}

static void check_scopes_in_child(void)
{
  CHECK(scope_depth() == 1 && is_open());
  CHECK(scope_mine->thread == os_thread_number());
  uint64_t epoch = scope_advance();
  struct mend_blocker blockers[2];
  CHECK(scope_blockers(epoch, blockers, 2) == 1 && blockers[0].thread == os_thread_number());
  scope_leave();
  CHECK(scope_wait(epoch, 0));
}

static void after_a_fork_only_the_forking_threads_scope_is_open(void **state)
{
  (void)state;
  visitor_come(0);
  scope_enter();
  child_check(check_scopes_in_child);
  scope_leave();
  assert_false(scope_is_past(scope_advance()));
  visitor_go();
}

// ---------------------------------------------------------------------------------------------
// Readers against one who takes away.

enum { READERS = 3, ROUNDS = 20000, PLACES = 4 };

static _Atomic(uint64_t *) places[PLACES];
static _Atomic(bool) is_over;

static void *read_places(void *unused)
{
  for (size_t i = 0; !atomic_load(&is_over); i++) {
    scope_enter();
    uint64_t *value = atomic_load_explicit(&places[i % PLACES], memory_order_acquire);
    CHECK(*value == 1);
    if (i % 64 == 0) sched_yield();
    CHECK(*value == 1);
    scope_leave();
  }
  return unused;
}

static void what_is_taken_away_is_used_by_nobody_after_a_grace_period(void **state)
{
  (void)state;
  static uint64_t values[PLACES][2];
  pthread_t threads[READERS];
  for (size_t i = 0; i < PLACES; i++) {
    values[i][0] = 1;
    atomic_store(&places[i], &values[i][0]);
  }
  for (size_t i = 0; i < READERS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, read_places, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(ROUNDS); i++) {
    size_t old = i / PLACES % 2;
    uint64_t *place = &values[i % PLACES][old];
    values[i % PLACES][1 - old] = 1;
    atomic_store(&places[i % PLACES], &values[i % PLACES][1 - old]);
    assert_true(scope_wait(scope_advance(), os_clock_ns() + LONG_NS));
    *place = 0;
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < READERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(a_scope_without_a_record_is_waited_for_too),  // while none is free
      HANDLES_TEST(scopes_nest_and_the_outermost_counts),
      HANDLES_TEST(a_leave_without_an_enter_does_nothing),
      HANDLES_TEST(an_implicit_scope_ends_when_it_is_said_to),
      HANDLES_TEST(older_scopes_are_waited_for_and_younger_ones_are_not),
      HANDLES_TEST(who_reopens_its_scope_is_not_in_the_way),
      HANDLES_TEST(who_is_late_to_say_it_is_open_is_waited_for),
      HANDLES_TEST(a_wait_ends_with_the_scope_or_at_the_deadline),
      HANDLES_TEST(blockers_are_named),
      HANDLES_TEST(the_end_of_a_thread_closes_its_scope_and_its_record_is_used_again),
      HANDLES_TEST(a_dead_thread_that_nobody_told_of_is_buried),
      HANDLES_TEST(who_inherits_a_dead_threads_record_is_not_buried),
      HANDLES_TEST(the_living_are_not_buried),
      HANDLES_TEST(after_a_fork_only_the_forking_threads_scope_is_open),
      HANDLES_TEST(what_is_taken_away_is_used_by_nobody_after_a_grace_period),
  };
  return SUITE_RUN(tests);
}
