// SPDX-License-Identifier: MIT
//
// The frontier: the region grows, ends, and steps over what others have mapped inside it, also in a
// child that was forked meanwhile. Every test leaves the region with nothing taken. The frontier
// itself is compiled here, with a place to stand still in between its steps, where it says itself
// that a fork may see it.
#define _GNU_SOURCE 1
#include "child.h"

#include <pthread.h>
#include <sys/mman.h>

#include "os/memory.h"
#include "runs.h"

static void stand_at_step(void);

#undef atomic_signal_fence
#define atomic_signal_fence(order) stand_at_step()
#include "core/frontier.c"

static void the_last_run_grows_into_fresh_memory(void **state)
{
  (void)state;
  bool is_zero = false;
  struct page *all = take_touched((uint32_t)runs_frontier());  // what was used before
  struct page *last = take_touched(1);
  assert_int_equal(page_index(last) + 1, runs_frontier());
  assert_true(chunk_source.extend(&chunk_source, last, 10, &is_zero));
  assert_true(is_zero);
  assert_int_equal(page_index(last) + 10, runs_frontier());
  last->block_bytes = bytes_of(10);
  allow_touch(page_start(last), bytes_of(10));
  memset(page_start(last), 1, bytes_of(10));
  give(last);
  give(all);
}

static void what_is_free_at_the_end_is_lengthened(void **state)
{
  enum { HALF = REGION_SLICES / 2 };
  (void)state;
  bool is_zero = false;
  give(take_touched(HALF));
  chunk_purge(0);
  size_t before = runs_frontier();
  struct page *longer = take(HALF + 10, 1, PAGE_LARGE, &is_zero);
  assert_non_null(longer);
  assert_true(is_zero && page_index(longer) + HALF + 10 == runs_frontier());
  assert_true(runs_frontier() > before);
  give(longer);
  chunk_purge(0);
  struct page *aligned = take((uint32_t)runs_frontier(), 64, PAGE_LARGE, &is_zero);
  assert_non_null(aligned);
  give(aligned);
  chunk_purge(0);
  struct page *page = take_touched(HALF);
  assert_true(chunk_source.extend(&chunk_source, page, (uint32_t)runs_frontier() + 10, &is_zero));
  assert_true(is_zero && page_index(page) + page->slices == runs_frontier());
  page->block_bytes = bytes_of(page->slices);
  give(page);
}

static void the_region_ends(void **state)
{
  (void)state;
  bool is_zero;
  assert_null(take(REGION_SLICES + 1, 1, PAGE_LARGE, &is_zero));
  assert_null(take(UINT32_MAX / 2, 1, PAGE_LARGE, &is_zero));
  size_t before = runs_frontier();
  struct page *used = take((uint32_t)before, 1, PAGE_LARGE, &is_zero);
  assert_non_null(used);
  assert_null(take((uint32_t)(REGION_SLICES - before + 1), 1, PAGE_LARGE, &is_zero));
  struct page *rest = used;
  if (before < REGION_SLICES) {
    rest = take((uint32_t)(REGION_SLICES - before), 1, PAGE_LARGE, &is_zero);
    assert_non_null(rest);
  }
  assert_null(take(1, 1, PAGE_LARGE, &is_zero));
  assert_false(chunk_source.extend(&chunk_source, rest, rest->slices + 1, &is_zero));
  chunk_assert_valid();
  give(used);
  if (rest != used) give(rest);
}

static void break_reached(void)
{
  (void)take_touched(1);
  runs_set_frontier((frontier_extent.end_bytes >> SLICE_SHIFT) + 1);
  frontier_assert_valid();
}

static void break_end(void)
{
  (void)take_touched(1);
  frontier_extent.end_bytes = frontier.region.bytes + SLICE_BYTES;
  frontier.table_bytes = frontier.table.bytes;
  frontier_assert_valid();
}

static void break_table(void)
{
  (void)take_touched(1);
  frontier.table_bytes = 0;
  frontier_assert_valid();
}

static void break_skipped(void)
{
  (void)take_touched(2);
  frontier_extent.skipped_bytes = SLICE_BYTES;
  frontier_assert_valid();
}

static void a_broken_frontier_ends_the_process_where_it_is_looked_for(void **state)
{
  static void (*const breaks[])(void) = {break_reached, break_end, break_table, break_skipped};
  (void)state;
  for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
    child_check_abort(breaks[i], "mend: internal error: ");
  }
}

// ---------------------------------------------------------------------------------------------
// Others' mappings in the region. Each of these tests is a child.

// Says why, and skips the test, where nobody can map anything in between.
static void need_vacant_addresses(void)
{
  if (!frontier.region.is_reserved) return;
  print_message("the region is reserved here\n");
  skip();
}

// A page that can be read, `slices` slices behind what is accessible.
static char *map_theirs(size_t slices)
{
  uintptr_t at = region.start + frontier_extent.end_bytes + bytes_of(slices);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *theirs = mmap((void *)at, os_page_bytes(), PROT_READ, flags, -1, 0);
  CHECK((uintptr_t)theirs == at);
  return theirs;
}

// Of a fresh region, takes what fits before a mapping of somebody's, and goes on behind it.
static void check_step_over(void)
{
  bool is_zero;
  struct page *low = take_touched(3);
  char *theirs = map_theirs(100);
  size_t committed = chunk_statistics().committed_bytes;
  struct page *high = take_touched(300);
  CHECK(page_start(high) > theirs && theirs[0] == 0);
  CHECK(chunk_statistics().used_bytes == bytes_of(303));
  CHECK(chunk_statistics().committed_bytes >= bytes_of(303));
  CHECK(chunk_statistics().committed_bytes <= committed + bytes_of(300) + 2 * MIB);
  chunk_assert_valid();
  // What was accessible before is not lost; what is skipped is nobody's.
  uint32_t rest_slices = (uint32_t)(committed >> SLICE_SHIFT) - 3;
  struct page *rest = rest_slices == 0 ? NULL : take(rest_slices, 1, PAGE_LARGE, &is_zero);
  CHECK(rest_slices == 0 || rest == low + 3);
  CHECK(!chunk_source.extend(&chunk_source, low, 1000, &is_zero));
  give(high);
  give(low);
  if (rest != NULL) give(rest);
  CHECK(chunk_purge_rests() == 0);
  chunk_assert_valid();
  CHECK(chunk_statistics().used_bytes == 0);
}

static void somebodys_mapping_is_stepped_over(void **state)
{
  (void)state;
  need_vacant_addresses();
  child_check(check_step_over);
}

static void check_use_among_mappings(void)
{
  static struct model model;
  struct random random = {random_seed()};
  struct page *low = take_touched(1);
  for (size_t i = 0; i < 20; i++) (void)map_theirs(i * i * 4);
  give(low);
  for (size_t i = 0; i < test_scaled(5000); i++) {
    model_step(&model, &random);
    CHECK(chunk_statistics().used_bytes == bytes_of(model.taken));
    if (i % 16 == 0) chunk_assert_valid();
  }
}

static void random_use_keeps_off_others_mappings(void **state)
{
  (void)state;
  need_vacant_addresses();
  child_check(check_use_among_mappings);
}

// The last request before the end of the region is in the way of nobody but is too long.
static void check_mapping_at_the_end(void)
{
  bool is_zero;
  size_t committed = chunk_statistics().committed_bytes;
  (void)map_theirs(REGION_SLICES - 1 - (committed >> SLICE_SHIFT));
  CHECK(take(REGION_SLICES, 1, PAGE_LARGE, &is_zero) == NULL);
  struct page *page = take(REGION_SLICES - 1, 1, PAGE_LARGE, &is_zero);
  CHECK(page == region.pages && take(1, 1, PAGE_LARGE, &is_zero) == NULL);
  give(page);
  chunk_assert_valid();
}

static void the_region_may_end_with_somebodys_mapping(void **state)
{
  (void)state;
  need_vacant_addresses();
  child_check(check_mapping_at_the_end);
}

// The child's region has others' mappings in it when it is the parent.
static void check_forks_among_mappings(void)
{
  pthread_t thread;
  struct page *low = take_touched(1);
  for (size_t i = 0; i < 3; i++) (void)map_theirs(i * 40);
  struct page *high = take_touched(200);
  give(low);
  give(high);
  chunk_purge(0);
  give(take_touched(16));  // which the thread will work on
  CHECK(pthread_create(&thread, NULL, take_and_give_until_over, NULL) == 0);
  for (size_t i = 0; i < test_scaled(20); i++) child_check(check_child);
  atomic_store(&is_over, true);
  CHECK(pthread_join(thread, NULL) == 0);
  chunk_assert_valid();
}

static void it_serves_a_child_that_was_forked_amid_mappings(void **state)
{
  (void)state;
  need_vacant_addresses();
  options.retain_bytes = 64 * MIB;
  atomic_store(&is_over, false);
  child_check(check_forks_among_mappings);
}

// ---------------------------------------------------------------------------------------------
// Forks while another thread moves the frontier over a mapping.

enum { MOVE_STEPS = 2, LOW_SLICES = 3 };  // move_frontier says twice that a fork may see it

static struct {
  size_t step;         // at which the thread stands still
  size_t first;        // the slice from which on the region was not accessible before
  size_t lost_slices;  // in the child: what other threads held
  char *theirs;
  pthread_t thread;
  struct page *taken;    // by the thread, when it has gone on
  size_t passed;         // steps
  _Atomic(bool) begins;  // the thread may
  _Atomic(bool) stands;
  _Atomic(bool) goes_on;
} moving;

static void stand_at_step(void)
{
  if (!atomic_load(&moving.begins) || !pthread_equal(pthread_self(), moving.thread)) return;
  if (moving.passed++ != moving.step) return;
  atomic_store(&moving.stands, true);
  while (!atomic_load(&moving.goes_on)) os_sleep_us(50);
}

static void *take_behind_theirs(void *unused)
{
  while (!atomic_load(&moving.begins)) os_sleep_us(50);
  moving.taken = take_touched(300);
  return unused;
}

// Starts a thread that takes what fits only behind somebody's mapping, and waits until it stands
// still, the lock in its hand.
static void start_moving(void)
{
  moving.passed = 0;
  atomic_store(&moving.begins, false);
  atomic_store(&moving.stands, false);
  atomic_store(&moving.goes_on, false);
  CHECK(pthread_create(&moving.thread, NULL, take_behind_theirs, NULL) == 0);
  atomic_store(&moving.begins, true);
  while (!atomic_load(&moving.stands)) os_sleep_us(50);
}

// In the child nothing counts as used but what was taken before and what the thread held; what is
// skipped counts as nothing, and is kept off.
static void check_amid_move(void)
{
  static struct model model;
  struct random random = {random_seed()};
  size_t lost = bytes_of(moving.lost_slices);
  chunk_after_fork();
  chunk_assert_valid();
  CHECK(chunk_statistics().used_bytes == lost);
  CHECK(chunk_statistics().committed_bytes == bytes_of(moving.first));
  for (size_t i = 0; i < 200; i++) model_step(&model, &random);
  chunk_assert_valid();
  CHECK(chunk_statistics().used_bytes == lost + bytes_of(model.taken));
  CHECK(moving.theirs[0] == 0);
}

static void check_fork_amid_move(void)
{
  struct page *low = take_touched(LOW_SLICES);
  moving.first = frontier_extent.end_bytes >> SLICE_SHIFT;
  moving.theirs = map_theirs(100);
  start_moving();
  // Once the frontier has gone on, what was accessible before is not filed yet.
  moving.lost_slices = moving.step == 0 ? LOW_SLICES : moving.first;
  child_check(check_amid_move);
  atomic_store(&moving.goes_on, true);
  CHECK(pthread_join(moving.thread, NULL) == 0);
  CHECK(page_start(moving.taken) > moving.theirs);
  give(moving.taken);
  give(low);
  chunk_assert_valid();
}

static void it_serves_a_child_that_was_forked_amid_a_move_of_the_frontier(void **state)
{
  (void)state;
  need_vacant_addresses();
  for (moving.step = 0; moving.step < MOVE_STEPS; moving.step++) child_check(check_fork_amid_move);
}

// What another thread was about to skip at the first fork is in use at the second.
static void check_second_fork(void)
{
  bool is_zero;
  chunk_after_fork();
  uint32_t slices = (uint32_t)moving.first + 20;
  CHECK(chunk_source.take(&chunk_source, slices, 1, any, &is_zero) == region.pages + LOW_SLICES);
  moving.first = frontier_extent.end_bytes >> SLICE_SHIFT;
  moving.lost_slices = LOW_SLICES + slices;
  start_moving();
  child_check(check_amid_move);
  _exit(0);
}

static void check_first_fork(void)
{
  (void)take_touched(LOW_SLICES);
  moving.first = frontier_extent.end_bytes >> SLICE_SHIFT;
  moving.theirs = map_theirs(100);
  start_moving();
  child_check(check_second_fork);
  _exit(0);
}

static void what_a_lost_thread_was_about_to_skip_can_be_used(void **state)
{
  (void)state;
  need_vacant_addresses();
  moving.step = 0;
  child_check(check_first_fork);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      // These while most of the region has not been used yet.
      REGION_TEST(somebodys_mapping_is_stepped_over),
      REGION_TEST(random_use_keeps_off_others_mappings),
      REGION_TEST(the_region_may_end_with_somebodys_mapping),
      REGION_TEST(it_serves_a_child_that_was_forked_amid_mappings),
      REGION_TEST(it_serves_a_child_that_was_forked_amid_a_move_of_the_frontier),
      REGION_TEST(what_a_lost_thread_was_about_to_skip_can_be_used),
      REGION_TEST(a_broken_frontier_ends_the_process_where_it_is_looked_for),
      REGION_TEST(what_is_free_at_the_end_is_lengthened),
      // And these at last.
      REGION_TEST(the_last_run_grows_into_fresh_memory),
      REGION_TEST(the_region_ends),
  };
  return cmocka_run_group_tests(tests, region_start, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
