// SPDX-License-Identifier: MIT
//
// Thread ids, the lock, the gate, and the hooks at the end of a thread and around fork. Whoever is
// alone inside proves it by changing plain variables in a way that two at once would spoil, and
// that ThreadSanitizer would report.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "os/thread.h"

enum { THREADS = 4, ROUNDS = 20000 };

// ---------------------------------------------------------------------------------------------
// Ids.

struct introduction {
  uintptr_t id;
  pthread_barrier_t *meeting;
};

static void *introduce(void *argument)
{
  struct introduction *introduction = argument;
  introduction->id = os_thread_id();
  pthread_barrier_wait(introduction->meeting);  // all are alive at once
  CHECK(introduction->id == os_thread_id());
  return NULL;
}

static void living_threads_have_different_ids(void **state)
{
  (void)state;
  pthread_barrier_t meeting;
  struct introduction introductions[THREADS];
  assert_int_equal(pthread_barrier_init(&meeting, NULL, THREADS), 0);
  for (size_t i = 0; i < THREADS; i++) introductions[i].meeting = &meeting;
  threads_run(THREADS, introduce, introductions, sizeof introductions[0]);
  for (size_t i = 0; i < THREADS; i++) {
    uintptr_t id = introductions[i].id;
    assert_true(id >= 8 && id % 8 == 0 && id != os_thread_id());
    for (size_t j = 0; j < i; j++) assert_int_not_equal(id, introductions[j].id);
  }
  pthread_barrier_destroy(&meeting);
}

// ---------------------------------------------------------------------------------------------
// The lock.

// What only one thread at a time may change.
struct guarded {
  size_t one;
  size_t other;
};

static void change(struct guarded *guarded)
{
  size_t one = guarded->one;
  CHECK(one == guarded->other);
  guarded->other = one + 1;
  guarded->one = one + 1;
}

static struct os_lock lock;
static struct guarded behind_lock;

static void *hammer_lock(void *unused)
{
  (void)unused;
  for (size_t i = 0; i < test_scaled(ROUNDS); i++) {
    errno = 4711;
    if (i % 3 != 0 || !os_lock_try(&lock)) os_lock_acquire(&lock);
    CHECK(os_lock_is_mine(&lock));
    change(&behind_lock);
    if (i % 100 == 0) sched_yield();  // so that others wait
    os_lock_release(&lock);
    CHECK(!os_lock_is_mine(&lock) && errno == 4711);
  }
  return NULL;
}

static void one_thread_at_a_time_holds_a_lock(void **state)
{
  (void)state;
  threads_run(THREADS, hammer_lock, NULL, 0);
  assert_int_equal(behind_lock.one, THREADS * test_scaled(ROUNDS));
  assert_int_equal(lock.state, 0);
  assert_int_equal(lock.waiters, 0);
}

static void *take_and_release(void *unused)
{
  (void)unused;
  CHECK(!os_lock_is_mine(&lock));
  os_lock_acquire(&lock);
  change(&behind_lock);
  os_lock_release(&lock);
  return NULL;
}

static void sleepers_are_woken_one_after_the_other(void **state)
{
  (void)state;
  pthread_t threads[THREADS];
  os_lock_acquire(&lock);
  size_t before = behind_lock.one;
  for (size_t i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, NULL), 0);
  }
  while (atomic_load(&lock.waiters) < THREADS) sched_yield();
  assert_int_equal(behind_lock.one, before);
  os_lock_release(&lock);
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(behind_lock.one, before + THREADS);
}

static void *try_held_lock(void *unused)
{
  (void)unused;
  CHECK(!os_lock_try(&lock));
  CHECK(!os_lock_is_mine(&lock));
  return NULL;
}

static void a_held_lock_refuses_those_who_only_try(void **state)
{
  (void)state;
  assert_true(os_lock_try(&lock));
  assert_false(os_lock_try(&lock));
  threads_run(1, try_held_lock, NULL, 0);
  os_lock_release(&lock);
  assert_true(os_lock_try(&lock));
  os_lock_release(&lock);
}

// A thread that goes inside something and stays there while another one forks.
static _Atomic(int) stay;  // 1 before, 2 inside, 3 may leave

static void *hold_lock(void *unused)
{
  (void)unused;
  os_lock_acquire(&lock);
  atomic_store(&stay, 2);
  while (atomic_load(&stay) != 3) sched_yield();
  os_lock_release(&lock);
  return NULL;
}

// Runs `in_child` in a child that is forked while another thread is where `body` stays.
static void fork_beside(void *(*body)(void *), void (*in_child)(void))
{
  pthread_t thread;
  atomic_store(&stay, 1);
  CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
  while (atomic_load(&stay) != 2) sched_yield();
  child_check(in_child);
  atomic_store(&stay, 3);
  CHECK(pthread_join(thread, NULL) == 0);
}

static void check_lock_of_a_lost_thread(void)
{
  CHECK(os_lock_take_from_strangers(&lock));
  CHECK(!os_lock_take_from_strangers(&lock));
  os_lock_acquire(&lock);
  CHECK(os_lock_is_mine(&lock) && !os_lock_take_from_strangers(&lock) && os_lock_is_mine(&lock));
  os_lock_release(&lock);
}

static void a_child_takes_the_locks_that_lost_threads_held(void **state)
{
  (void)state;
  fork_beside(hold_lock, check_lock_of_a_lost_thread);
  assert_int_equal(lock.state, 0);
}

static void check_own_lock(void)
{
  CHECK(!os_lock_take_from_strangers(&lock));
  CHECK(os_lock_is_mine(&lock));
}

static void a_child_keeps_the_locks_that_it_held_itself(void **state)
{
  (void)state;
  os_lock_acquire(&lock);
  child_check(check_own_lock);
  os_lock_release(&lock);
}

// ---------------------------------------------------------------------------------------------
// The gate.

static struct os_gate gate;
static _Atomic(uintptr_t) gate_owner;
static struct guarded behind_gate;
static _Atomic(size_t) passages;

static void *pass_as_owner(void *unused)
{
  (void)unused;
  atomic_store(&gate_owner, os_thread_id());
  for (size_t i = 0; i < 20 * test_scaled(ROUNDS); i++) {
    os_gate_enter_as_owner(&gate);
    CHECK(os_gate_is_mine(&gate, true));
    change(&behind_gate);
    os_gate_leave_as_owner(&gate);
    CHECK(!os_gate_is_mine(&gate, true));
    atomic_fetch_add_explicit(&passages, 1, memory_order_relaxed);
  }
  static _Atomic(uintptr_t) nobody;
  os_gate_enter(&gate, &nobody);
  atomic_store(&gate_owner, 0);
  os_gate_leave(&gate);
  return NULL;
}

static void *pass_as_stranger(void *unused)
{
  (void)unused;
  for (size_t i = 0; i < test_scaled(ROUNDS) / 4; i++) {
    errno = 4711;
    if (i % 2 == 0) {
      os_gate_enter(&gate, &gate_owner);
    } else if (!os_gate_try_enter(&gate, &gate_owner)) {
      continue;
    }
    CHECK(os_gate_is_mine(&gate, false));
    change(&behind_gate);
    atomic_fetch_add_explicit(&passages, 1, memory_order_relaxed);
    os_gate_leave(&gate);
    CHECK(errno == 4711 && !os_gate_is_mine(&gate, false));
  }
  return NULL;
}

static void hammer_gate(void)
{
  pthread_t owner;
  behind_gate = (struct guarded){0, 0};
  atomic_store(&passages, 0);
  assert_int_equal(pthread_create(&owner, NULL, pass_as_owner, NULL), 0);
  threads_run(THREADS, pass_as_stranger, NULL, 0);
  assert_int_equal(pthread_join(owner, NULL), 0);
  assert_int_equal(behind_gate.one, atomic_load(&passages));
  assert_true(behind_gate.one > 20 * test_scaled(ROUNDS));
  assert_false(gate.is_inside);
  assert_false(gate.is_closed);
  assert_int_equal(gate.lock.state, 0);
}

static void owner_and_strangers_are_inside_one_at_a_time(void **state)
{
  (void)state;
  os_gate_init();
  hammer_gate();
}

static void without_barriers_too(void **state)
{
  (void)state;
  bool was_biased = os_gate_is_biased;
  os_gate_is_biased = false;
  hammer_gate();
  os_gate_is_biased = was_biased;
}

static void *meet_owner_inside(void *unused)
{
  (void)unused;
  CHECK(!os_gate_try_enter(&gate, &gate_owner));
  CHECK(!os_gate_is_mine(&gate, false));
  return NULL;
}

static void *meet_owner_outside(void *unused)
{
  (void)unused;
  CHECK(os_gate_try_enter(&gate, &gate_owner));
  os_gate_leave(&gate);
  os_gate_enter(&gate, &gate_owner);
  os_gate_leave(&gate);
  return NULL;
}

static void a_stranger_who_only_tries_does_not_disturb_the_owner(void **state)
{
  (void)state;
  atomic_store(&gate_owner, os_thread_id());
  os_gate_enter_as_owner(&gate);
  threads_run(1, meet_owner_inside, NULL, 0);
  assert_true(os_gate_is_mine(&gate, true));
  os_gate_leave_as_owner(&gate);
  threads_run(1, meet_owner_outside, NULL, 0);
  os_gate_enter_as_owner(&gate);
  os_gate_leave_as_owner(&gate);
  assert_false(os_gate_is_mine(&gate, true));
}

static void the_owner_waits_at_a_closed_gate(void **state)
{
  (void)state;
  static _Atomic(uintptr_t) someone = 8;  // an owner, but not this thread
  os_gate_enter(&gate, &someone);
  pthread_t owner;
  size_t before = behind_gate.one;
  assert_int_equal(pthread_create(&owner, NULL, pass_as_owner, NULL), 0);
  while (atomic_load(&gate.lock.waiters) == 0) sched_yield();
  assert_int_equal(behind_gate.one, before);
  os_gate_leave(&gate);
  assert_int_equal(pthread_join(owner, NULL), 0);
  assert_true(behind_gate.one > before);
}

static void *stay_inside_as_owner(void *unused)
{
  (void)unused;
  atomic_store(&gate_owner, os_thread_id());
  os_gate_enter_as_owner(&gate);
  atomic_store(&stay, 2);
  while (atomic_load(&stay) != 3) sched_yield();
  os_gate_leave_as_owner(&gate);
  return NULL;
}

static void *stay_inside_as_stranger(void *unused)
{
  (void)unused;
  atomic_store(&gate_owner, 8);
  os_gate_enter(&gate, &gate_owner);
  atomic_store(&stay, 2);
  while (atomic_load(&stay) != 3) sched_yield();
  os_gate_leave(&gate);
  return NULL;
}

static void check_gate_of_a_lost_thread(void)
{
  static _Atomic(uintptr_t) someone = 8;
  CHECK(os_gate_is_busy(&gate) && os_gate_is_strangers(&gate));
  os_gate_reset(&gate);
  CHECK(!os_gate_is_busy(&gate) && !os_gate_is_strangers(&gate));
  os_gate_enter(&gate, &someone);
  CHECK(os_gate_is_busy(&gate) && !os_gate_is_strangers(&gate));
  os_gate_leave(&gate);
  CHECK(os_gate_try_enter(&gate, &someone));
  os_gate_leave(&gate);
  os_gate_enter_as_owner(&gate);
  CHECK(os_gate_is_busy(&gate));
  os_gate_leave_as_owner(&gate);
  CHECK(!os_gate_is_busy(&gate));
}

static void a_child_tells_and_resets_gates_of_lost_threads(void **state)
{
  (void)state;
  assert_false(os_gate_is_busy(&gate));
  fork_beside(stay_inside_as_owner, check_gate_of_a_lost_thread);
  fork_beside(stay_inside_as_stranger, check_gate_of_a_lost_thread);
  assert_false(os_gate_is_busy(&gate));
}

// ---------------------------------------------------------------------------------------------
// The end of a thread, fork, and starting one.

static _Atomic(size_t) ended_threads;
static _Thread_local bool has_ended;
static pthread_key_t other_key;

static void thread_ends(void)
{
  has_ended = true;
  ended_threads++;
}

// A destructor of the program's own that asks to be called again, as libraries do that still free.
static void other_destructor(void *value)
{
  uintptr_t round = (uintptr_t)value;
  CHECK(!has_ended);
  // ThreadSanitizer forgets the thread in the last round: there the end is told one earlier.
  uintptr_t rounds = HAS_THREAD_SANITIZER ? 2 : 3;
  if (round < rounds) CHECK(pthread_setspecific(other_key, (void *)(round + 1)) == 0);
}

static void *live_watched(void *unused)
{
  (void)unused;
  CHECK(pthread_setspecific(other_key, (void *)1) == 0);
  os_thread_watch();
  os_thread_watch();
  CHECK(!has_ended);
  return NULL;
}

static void *live_unwatched(void *unused)
{
  return unused;
}

static void the_end_of_a_watched_thread_is_told_after_other_destructors(void **state)
{
  (void)state;
  assert_true(os_thread_on_exit(thread_ends));
  assert_int_equal(pthread_key_create(&other_key, other_destructor), 0);
  threads_run(THREADS, live_watched, NULL, 0);
  assert_int_equal(ended_threads, THREADS);
  threads_run(THREADS, live_unwatched, NULL, 0);
  assert_int_equal(ended_threads, THREADS);
}

static int forks_seen;

static void see_fork(void)
{
  forks_seen++;
}

static void check_fork_was_seen(void)
{
  CHECK(forks_seen == 1);
}

static void the_child_of_a_fork_is_told_and_the_parent_is_not(void **state)
{
  (void)state;
  assert_true(os_on_fork(NULL, NULL, see_fork));
  child_check(check_fork_was_seen);
  assert_int_equal(forks_seen, 0);
}

static _Atomic(int) started;

static void *look_at_signals(void *unused)
{
  sigset_t blocked;
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0);
  CHECK(sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGALRM) == 1);
  started = 1;
  return unused;
}

static void a_thread_of_ours_takes_no_signals(void **state)
{
  (void)state;
  sigset_t before, after;
  assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
  assert_true(os_thread_start(look_at_signals));
  while (atomic_load(&started) == 0) sched_yield();
  assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
  for (int i = 1; i < 32; i++) {
    assert_int_equal(sigismember(&before, i), sigismember(&after, i));
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(living_threads_have_different_ids),
      cmocka_unit_test(one_thread_at_a_time_holds_a_lock),
      cmocka_unit_test(sleepers_are_woken_one_after_the_other),
      cmocka_unit_test(a_held_lock_refuses_those_who_only_try),
      cmocka_unit_test(a_child_takes_the_locks_that_lost_threads_held),
      cmocka_unit_test(a_child_keeps_the_locks_that_it_held_itself),
      cmocka_unit_test(owner_and_strangers_are_inside_one_at_a_time),
      cmocka_unit_test(without_barriers_too),
      cmocka_unit_test(a_stranger_who_only_tries_does_not_disturb_the_owner),
      cmocka_unit_test(the_owner_waits_at_a_closed_gate),
      cmocka_unit_test(a_child_tells_and_resets_gates_of_lost_threads),
      cmocka_unit_test(the_end_of_a_watched_thread_is_told_after_other_destructors),
      cmocka_unit_test(the_child_of_a_fork_is_told_and_the_parent_is_not),
      cmocka_unit_test(a_thread_of_ours_takes_no_signals),
  };
  return SUITE_RUN(tests);
}
