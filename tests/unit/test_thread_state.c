// SPDX-License-Identifier: MIT
//
// What is kept for each thread: entered by it alone, reused when it has ended, with a number and a
// name that stay.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "os/code.h"
#include "os/system.h"
#include "track/thread_state.h"

enum { ROUNDS = 5, THREADS = 4 };

static int start(void **state)
{
  (void)state;
  CHECK(site_table_start());
  thread_state_start();
  return 0;
}

static void a_state_is_entered_once_at_a_time(void **state)
{
  (void)state;
  errno = 4711;
  struct thread_state *own = thread_state_enter();
  assert_non_null(own);
  assert_null(thread_state_enter());
  thread_state_leave(NULL);
  assert_null(thread_state_enter());
  thread_state_leave(own);
  assert_ptr_equal(thread_state_enter(), own);
  thread_state_leave(own);
  assert_int_equal(errno, 4711);
  assert_int_equal(thread_state_kernel_number(own->number), os_thread_number());
  assert_int_equal(thread_state_kernel_number(0), 0);
}

struct seen {
  uint32_t number;
  uint32_t kernel_number;
  size_t count;
  char name[OS_THREAD_NAME_BYTES];
};

static void see_thread(uint32_t number, uint32_t kernel_number, const char *name, void *argument)
{
  struct seen *seen = argument;
  if (number != seen->number) return;
  CHECK(strlen(name) < sizeof seen->name);
  seen->count++;
  seen->kernel_number = kernel_number;
  strcpy(seen->name, name);
}

static struct seen see(uint32_t number)
{
  struct seen seen = {.number = number};
  thread_state_each_thread(see_thread, &seen);
  return seen;
}

struct life {
  struct thread_state *state;
  uint32_t number;
  uint32_t kernel_number;
};

static void *live(void *argument)
{
  struct life *life = argument;
  life->state = thread_state_enter();
  CHECK(life->state != NULL);
  life->number = life->state->number;
  life->kernel_number = os_thread_number();
  thread_state_leave(life->state);
  CHECK(pthread_setname_np(pthread_self(), "at work") == 0);
  CHECK(strcmp(see(life->number).name, "at work") == 0);
  CHECK(pthread_setname_np(pthread_self(), "the end") == 0);
  return NULL;
}

static void threads_have_numbers_and_names_for_good(void **state)
{
  (void)state;
  struct life lives[ROUNDS] = {0};
  for (size_t i = 0; i < ROUNDS; i++) {
    threads_run(1, live, &lives[i], 0);
    assert_ptr_equal(lives[i].state, lives[0].state);  // the one that the last has left
    if (i > 0) assert_int_equal(lives[i].number, lives[i - 1].number + 1);
  }
  for (size_t i = 0; i < ROUNDS; i++) {
    struct seen seen = see(lives[i].number);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.kernel_number, lives[i].kernel_number);
    assert_string_equal(seen.name, "the end");
  }
}

static pthread_barrier_t all_are_there;

static void *take_state(void *place)
{
  struct thread_state *state = thread_state_enter();
  CHECK(state != NULL);
  *(struct thread_state **)place = state;
  pthread_barrier_wait(&all_are_there);
  thread_state_leave(state);
  return NULL;
}

static void threads_at_the_same_time_have_different_states(void **state)
{
  (void)state;
  struct thread_state *states[THREADS];
  CHECK(pthread_barrier_init(&all_are_there, NULL, THREADS) == 0);
  threads_run(THREADS, take_state, states, sizeof states[0]);
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < i; j++) assert_ptr_not_equal(states[i], states[j]);
  }
}

// ---------------------------------------------------------------------------------------------
// Walks.

struct sums {
  uint32_t site;
  uint64_t count;
  uint64_t bytes;
};

static void add_up(uint32_t site, uint64_t count, uint64_t bytes, void *argument)
{
  struct sums *sums = argument;
  if (site != sums->site) return;
  sums->count += count;
  sums->bytes += bytes;
}

// With what walks have counted and not yet told.
static struct sums sums_of(uint32_t site)
{
  struct site_sums total = site_total(site_of(site));
  struct sums sums = {site, total.samples, total.bytes};
  thread_state_each_count(add_up, &sums);
  return sums;
}

enum { STACKS = 1000 };

// What a walk with this hash, which has found these, is: as if it were the one that is kept at
// some place.
static struct thread_walk *walk_of(struct thread_state *state, const uintptr_t *addresses,
                                   size_t count, uint64_t hash)
{
  size_t set = hash >> (64 - WALK_SETS_SHIFT);
  struct thread_walk *walk = &state->walks[false][set][hash % WALKS_OF_SET];
  walk->trace = (struct os_stack_trace){.depth = SITE_DEPTH, .hash = hash, .count = count};
  memcpy(walk->trace.addresses, addresses, count * sizeof *addresses);
  if (walk->hash != hash) thread_state_find_site(state, walk);
  return walk;
}

static uint32_t site_of_walk(struct thread_state *state, const uintptr_t *addresses, size_t count,
                             uint64_t hash)
{
  return thread_walk_site(walk_of(state, addresses, count, hash));
}

static uint32_t allocate_at(struct thread_state *state, size_t i)
{
  const uintptr_t addresses[] = {0x5000 + i, 0x6000};
  struct thread_walk *walk = walk_of(state, addresses, 2, (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
  assert_true(thread_walk_count(walk, i));
  return thread_walk_site(walk);
}

static void a_stack_ends_where_no_call_returns_to(void **state)
{
  (void)state;
  static int data;
  const uintptr_t code = (uintptr_t)allocate_at + 1;
  const uintptr_t addresses[] = {1, code, code + 1, (uintptr_t)&data, code};
  struct thread_state *own = thread_state_enter();
  uint32_t whole = site_of_walk(own, addresses, 3, 1);
  assert_int_equal(site_of(whole)->depth, 3);
  assert_int_equal(site_of_walk(own, addresses, 5, 2), whole);
  assert_int_equal(site_of(site_of_walk(own, addresses + 3, 2, 3))->depth, 2);
  assert_int_equal(site_of(site_of_walk(own, addresses, 0, 4))->depth, 0);
  thread_state_leave(own);
}

// Far more stacks than there is room for.
// Code that is loaded where nobody looks for the moment: stacks are cut there, for that moment.
static void a_stack_that_new_code_cuts_short_is_not_kept(void **state)
{
  (void)state;
  static int data;
  size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
  char *page = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(page != MAP_FAILED);
  const uintptr_t code = (uintptr_t)allocate_at + 1;
  const uintptr_t addresses[] = {code, code, (uintptr_t)page + 1};
  struct thread_state *own = thread_state_enter();
  for (int i = 0; i < 3;) i += os_code_ask((uintptr_t)&data) == OS_CODE_UNSURE;
  if (mprotect(page, bytes, PROT_READ | PROT_EXEC) != 0) {
    thread_state_leave(own);
    skip();
  }
  uint32_t site = 0;
  for (int i = 0; i < 10000; i++) {
    site = site_of_walk(own, addresses, 3, 5);
    if (site_of(site)->depth == 3) break;
    os_sleep_ms(1);
  }
  assert_int_equal(site_of(site)->depth, 3);
  thread_state_leave(own);
  assert_int_equal(munmap(page, bytes), 0);
}

static void *allocate_a_lot(void *unused)
{
  (void)unused;
  struct thread_state *state = thread_state_enter();
  for (size_t i = 0; i < STACKS; i++) {
    uint32_t site = allocate_at(state, i);
    CHECK(site != 0);
    for (size_t j = 0; j < i % 5; j++) CHECK(allocate_at(state, i) == site);
  }
  thread_state_leave(state);
  return NULL;
}

static void what_is_counted_in_states_is_not_lost(void **state)
{
  (void)state;
  threads_run(THREADS, allocate_a_lot, NULL, 0);
  for (size_t i = 0; i < STACKS; i++) {
    const uintptr_t addresses[] = {0x5000 + i, 0x6000};
    const struct os_stack_trace trace = {.count = 2, .addresses = {addresses[0], addresses[1]}};
    bool is_unsure;
    struct sums sums = sums_of(thread_state_site_of(&trace, &is_unsure));  // as without a state
    assert_int_equal(sums.count, THREADS * (1 + i % 5));
    assert_int_equal(sums.bytes, sums.count * i);
  }
}

// What one word cannot hold is told before, or at once.
static void a_walk_counts_as_far_as_its_word_reaches(void **state)
{
  (void)state;
  const uintptr_t addresses[] = {0x7000};
  struct thread_state *own = thread_state_enter();
  struct thread_walk *walk = walk_of(own, addresses, 1, 5);
  uint32_t site = thread_walk_site(walk);
  const uint64_t most = (UINT64_C(1) << (63 - WALK_COUNT_SHIFT)) - 1;
  for (uint64_t i = 0; i < most; i++) CHECK(thread_walk_count(walk, WALK_BLOCK_MOST));
  struct sums sums = sums_of(site);
  assert_int_equal(sums.count, most);
  assert_int_equal(sums.bytes, most * WALK_BLOCK_MOST);
  assert_false(thread_walk_count(walk, 1));
  thread_state_settle(walk);
  assert_true(thread_walk_count(walk, 1));
  assert_false(thread_walk_count(walk, WALK_BLOCK_MOST + 1));
  sums = sums_of(site);
  assert_int_equal(sums.count, most + 1);
  assert_int_equal(sums.bytes, most * WALK_BLOCK_MOST + 1);
  thread_state_leave(own);
}

// The walk that a thread was making when it was left behind by a fork says nothing any more.
static void what_a_fork_has_cut_off_is_forgotten(void **state)
{
  (void)state;
  static struct thread_state cut;
  cut = (struct thread_state){.is_inside = true, .number = 0};
  cut.walks[true][3][1].hash = 4711;
  uint32_t place = 1;
  while (atomic_load(&thread_states[place]) != NULL) place++;
  struct thread_state *last = atomic_load(&thread_states[place - 1]);
  assert_ptr_not_equal(last, thread_state_own());
  atomic_store(&thread_states[place - 1], &cut);
  thread_state_after_fork();
  atomic_store(&thread_states[place - 1], last);
  assert_int_equal(cut.walks[true][3][1].hash, 0);
}

// ---------------------------------------------------------------------------------------------

static struct life other;
static pthread_barrier_t other_waits;

static void *wait_for_the_end(void *unused)
{
  (void)unused;
  struct thread_state *state = thread_state_enter();
  other.state = state;
  other.number = state->number;
  thread_state_leave(state);
  pthread_barrier_wait(&other_waits);
  pthread_barrier_wait(&other_waits);
  return NULL;
}

static void look_after_fork(void)
{
  struct thread_state *own = thread_state_enter();
  CHECK(own != NULL);
  thread_state_leave(own);
  thread_state_after_fork();
  CHECK(thread_state_kernel_number(own->number) == os_thread_number());
  CHECK(!other.state->is_taken && own->is_taken);
  CHECK(see(other.number).count == 1);  // its name is still told
}

static void a_forks_child_has_one_thread(void **state)
{
  (void)state;
  pthread_t thread;
  struct thread_state *own = thread_state_enter();
  thread_state_leave(own);
  CHECK(pthread_barrier_init(&other_waits, NULL, 2) == 0);
  CHECK(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
  pthread_barrier_wait(&other_waits);
  struct ending ending = child_run(look_after_fork);
  pthread_barrier_wait(&other_waits);
  CHECK(pthread_join(thread, NULL) == 0);
  assert_string_equal(ending.text, "");
  assert_int_equal(ending.exit_code, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_state_is_entered_once_at_a_time),
      cmocka_unit_test(threads_have_numbers_and_names_for_good),
      cmocka_unit_test(threads_at_the_same_time_have_different_states),
      cmocka_unit_test(a_stack_ends_where_no_call_returns_to),
      cmocka_unit_test(a_stack_that_new_code_cuts_short_is_not_kept),
      cmocka_unit_test(what_is_counted_in_states_is_not_lost),
      cmocka_unit_test(a_walk_counts_as_far_as_its_word_reaches),
      cmocka_unit_test(what_a_fork_has_cut_off_is_forgotten),
      cmocka_unit_test(a_forks_child_has_one_thread),
  };
  return cmocka_run_group_tests(tests, start, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
