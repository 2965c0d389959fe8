// SPDX-License-Identifier: MIT
//
// The region: runs of slices are taken, given, extended and shortened at random against a model
// that knows whose each slice is; what is said to be zero is looked at; and the rules about
// returning memory, limits and budgets are tried one by one. Every test leaves the region with
// nothing taken.
#define _GNU_SOURCE 1
#include "child.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/options.h"
#include "core/chunk.h"
#include "os/memory.h"
#include "os/system.h"
#include "runs.h"

enum { THREADS = 3 };

// ---------------------------------------------------------------------------------------------
// Random use.

// The number of steps that the budget was used up after.
static size_t use_at_random(size_t steps)
{
  static struct model model;
  struct random random = {random_seed()};
  size_t full = 0;
  options.retain_bytes = 4 * MIB;
  for (size_t i = 0; i < steps; i++) {
    model_step(&model, &random);
    struct chunk_statistics statistics = chunk_statistics();
    assert_int_equal(statistics.used_bytes, bytes_of(model.taken));
    assert_true(statistics.mapping_count <= options.map_budget);
    full += statistics.mapping_count == options.map_budget;
    if (i % 16 == 0) chunk_assert_valid();
  }
  for (size_t i = 0; i < RUNS; i++) {
    if (model.runs[i].page != NULL) model_give(&model, &model.runs[i]);
  }
  return full;
}

static void random_use_keeps_runs_apart_and_the_region_valid(void **state)
{
  (void)state;
  (void)use_at_random(test_scaled(20000));
}

static void random_use_keeps_to_a_small_budget_of_mappings(void **state)
{
  (void)state;
  options.map_budget = 6;
  assert_true(use_at_random(test_scaled(20000)) > 0);
  chunk_purge(0);
  assert_int_equal(chunk_statistics().mapping_count, 0);
  bool is_zero;
  struct page *all = take((uint32_t)runs_frontier(), 1, PAGE_LARGE, &is_zero);
  assert_ptr_equal(all, region.pages);  // all that is free is one run in the end
  give(all);
}

// ---------------------------------------------------------------------------------------------
// Rules.

static void a_fresh_run_reads_as_zero(void **state)
{
  (void)state;
  bool is_zero = false;
  struct page *page = take(REGION_SLICES / 2, 1, PAGE_LARGE, &is_zero);
  assert_non_null(page);
  assert_true(is_zero);
  check_slices(page, 0, REGION_SLICES / 2, NULL);
  page->carved = 0;  // it was not written to: it stays clean
  page->is_rest_purged = true;
  give(page);
  assert_int_equal(chunk_statistics().dirty_bytes, 0);
}

static void memory_that_was_touched_is_handed_out_first(void **state)
{
  (void)state;
  bool is_zero = true;
  options.retain_bytes = 64 * MIB;
  struct page *clean = take_touched(8);
  struct page *between = take_touched(1);
  struct page *dirty = take_touched(8);
  struct page *end = take_touched(1);
  give(clean);
  chunk_purge(0);
  give(dirty);
  struct page *first = take(8, 1, PAGE_LARGE, &is_zero);
  assert_ptr_equal(first, dirty);
  assert_false(is_zero);
  struct page *second = take(8, 1, PAGE_LARGE, &is_zero);
  assert_ptr_equal(second, clean);
  assert_true(is_zero);
  give(first);
  give(second);
  give(between);
  give(end);
}

static void a_run_grows_into_what_is_free_behind_it_and_no_further(void **state)
{
  (void)state;
  bool is_zero;
  struct page *page = take_touched(4);
  struct page *behind = take_touched(4);
  struct page *wall = take_touched(1);
  if (behind != page + 4 || wall != page + 8) fail_msg("the runs are not side by side");
  assert_false(chunk_source.extend(&chunk_source, page, 5, &is_zero));
  give(behind);
  assert_false(chunk_source.extend(&chunk_source, page, 9, &is_zero));
  assert_int_equal(page->slices, 4);
  assert_true(chunk_source.extend(&chunk_source, page, 6, &is_zero));
  assert_true(chunk_source.extend(&chunk_source, page, 8, &is_zero));
  assert_int_equal(page->slices, 8);
  assert_false(chunk_source.extend(&chunk_source, page, 9, &is_zero));
  page->block_bytes = bytes_of(8);
  give(page);
  give(wall);
}

static void purging_returns_the_oldest_first_and_keeps_what_it_is_told(void **state)
{
  (void)state;
  bool is_zero;
  struct page *pages[4];
  struct page *walls[4];
  options.retain_bytes = 64 * MIB;
  for (size_t i = 0; i < 4; i++) {
    pages[i] = take_touched(16);
    walls[i] = take_touched(1);
  }
  for (size_t i = 0; i < 4; i++) give(pages[(i + 2) % 4]);  // 2 3 0 1
  size_t purged = os_memory_purged_bytes();
  assert_int_equal(chunk_statistics().dirty_bytes, bytes_of(64));
  assert_int_equal(chunk_purge(bytes_of(32)), bytes_of(32));
  assert_int_equal(chunk_statistics().dirty_bytes, bytes_of(32));
  assert_int_equal(os_memory_purged_bytes(), purged + bytes_of(32));
  for (size_t i = 0; i < 4; i++) {
    // Those that were kept hold what they held.
    assert_int_equal(page_start(pages[i])[100], i < 2 ? 1 : 0);
  }
  assert_int_equal(chunk_purge(0), bytes_of(32));
  assert_int_equal(chunk_purge(0), 0);
  struct page *page = take(16, 1, PAGE_LARGE, &is_zero);
  assert_true(is_zero);
  check_slices(page, 0, 16, NULL);
  give(page);
  for (size_t i = 0; i < 4; i++) give(walls[i]);
}

// What is in use and what is dirty.
static size_t footprint(void)
{
  struct chunk_statistics statistics = chunk_statistics();
  return statistics.used_bytes + statistics.dirty_bytes;
}

// Takes `count` pairs of runs of 2 slices and frees every other one, so that the dirty ones are too
// short for a longer request.
static void scatter(struct page **pages, size_t count)
{
  for (size_t i = 0; i < 2 * count; i++) pages[i] = take_touched(2);
  for (size_t i = 0; i < 2 * count; i += 2) give(pages[i]);
}

static void give_rest(struct page **pages, size_t count)
{
  for (size_t i = 1; i < 2 * count; i += 2) give(pages[i]);
}

static void what_was_in_use_is_kept_for_the_next_time(void **state)
{
  (void)state;
  struct page *pages[40];
  options.retain_bytes = 0;
  options.retain_percent = 0;
  scatter(pages, 20);
  assert_int_equal(chunk_statistics().dirty_bytes, bytes_of(40));
  give_rest(pages, 20);
  assert_int_equal(chunk_statistics().dirty_bytes, bytes_of(80));
  size_t purged = os_memory_purged_bytes();
  for (size_t i = 0; i < 40; i++) pages[i] = take_touched(2);
  assert_int_equal(os_memory_purged_bytes(), purged);
  assert_int_equal(chunk_statistics().dirty_bytes, 0);
  for (size_t i = 0; i < 40; i++) give(pages[i]);
}

static void clean_memory_is_taken_in_place_of_dirty_memory(void **state)
{
  (void)state;
  struct page *pages[40];
  options.retain_bytes = 0;
  options.retain_percent = 0;
  scatter(pages, 20);
  size_t before = footprint();
  struct page *longer = take_touched(10);
  assert_int_equal(footprint(), before);
  assert_int_equal(chunk_statistics().dirty_bytes, bytes_of(30));
  struct page *longest = take_touched(100);
  assert_int_equal(chunk_statistics().dirty_bytes, 0);
  give(longer);
  give(longest);
  give_rest(pages, 20);
}

static void free_memory_may_exceed_the_peak_by_a_share(void **state)
{
  (void)state;
  struct page *pages[40];
  options.retain_bytes = 0;
  options.retain_percent = 25;
  scatter(pages, 20);  // the peak is 80 slices
  struct page *longer = take_touched(20);
  assert_true(footprint() > bytes_of(90) && footprint() <= bytes_of(100));
  give(longer);
  give_rest(pages, 20);
}

static void the_past_peak_is_forgotten_in_time(void **state)
{
  (void)state;
  struct page *pages[40];
  options.retain_bytes = 0;
  options.retain_percent = 0;
  give(take_touched(500));
  for (size_t i = 0; i < 64; i++) chunk_tick(os_clock_ms());
  chunk_purge(0);
  scatter(pages, 20);
  size_t before = footprint();
  struct page *longer = take_touched(10);
  assert_int_equal(footprint(), before);
  give(longer);
  give_rest(pages, 20);
}

static void dirty_and_clean_neighbours_make_one_run_together(void **state)
{
  (void)state;
  bool is_zero = true;
  struct page *pages[5];
  for (size_t i = 0; i < 5; i++) pages[i] = take_touched(4);
  if (pages[3] != pages[0] + 12) fail_msg("the runs are not side by side");
  give(pages[1]);
  chunk_purge(0);
  give(pages[2]);
  give(pages[0]);
  size_t purged = os_memory_purged_bytes();
  struct page *whole = take(11, 1, PAGE_LARGE, &is_zero);
  assert_ptr_equal(whole, pages[0]);
  assert_false(is_zero);
  assert_int_equal(os_memory_purged_bytes(), purged);
  chunk_assert_valid();
  give(whole);
  give(pages[3]);
  give(pages[4]);
}

static void free_memory_is_returned_when_its_time_is_over(void **state)
{
  (void)state;
  options.retain_bytes = 64 * MIB;
  options.purge_delay = 100000;
  uint32_t now = os_clock_ms();
  struct page *page = take_touched(16);
  give(page);
  chunk_tick(now - 50);  // a clock that was read before the free
  assert_int_equal(chunk_statistics().dirty_bytes, bytes_of(16));
  chunk_tick(now + 90000);
  assert_int_equal(chunk_statistics().dirty_bytes, bytes_of(16));
  chunk_tick(os_clock_ms() + 100000);
  assert_int_equal(chunk_statistics().dirty_bytes, 0);
}

static void a_limit_holds_and_free_memory_makes_room_under_it(void **state)
{
  (void)state;
  bool is_zero;
  options.retain_bytes = 64 * MIB;
  options.limit = bytes_of(100);
  struct page *page = take_touched(60);
  assert_null(take(41, 1, PAGE_LARGE, &is_zero));
  assert_false(chunk_source.extend(&chunk_source, page, 101, &is_zero));
  struct page *rest = take_touched(40);
  assert_null(take(1, 1, PAGE_LARGE, &is_zero));
  give(rest);
  assert_true(chunk_statistics().dirty_bytes > 0);
  struct page *other = take(39, 2, PAGE_LARGE, &is_zero);
  assert_non_null(other);
  struct chunk_statistics statistics = chunk_statistics();
  assert_true(statistics.used_bytes + statistics.dirty_bytes <= options.limit);
  give(other);
  give(page);
  struct page *all = take_touched(100);
  give(all);
}

static size_t mappings(void)
{
  return chunk_statistics().mapping_count;
}

static void a_purge_heals_what_was_split(void **state)
{
  (void)state;
  struct page *page = take_touched(16);
  assert_true(mapping_split(page));
  give(page);
  chunk_purge(0);
  assert_int_equal(mappings(), 0);
  allow_touch(page_start(page), bytes_of(16));
  assert_true(is_zero(page_start(page), bytes_of(16)));
}

static void splits_stay_counted_and_within_the_budget_through_cutting_and_merging(void **state)
{
  enum { PIECES = 8 };
  (void)state;
  struct page *pieces[PIECES];
  options.retain_bytes = 64 * MIB;
  for (size_t round = 0; round < 20; round++) {
    options.map_budget = round < 10 ? 2 * PIECES : PIECES;  // for all the pieces, or half of them
    struct page *page = take_touched(2 * PIECES);
    assert_true(mapping_split(page));
    give(page);
    for (size_t i = 0; i < PIECES; i++) pieces[i] = take_touched(2);
    assert_int_equal(mappings(), options.map_budget);
    for (size_t i = 0; i < PIECES; i += 2) give(pieces[i]);
    if (round % 2 == 0) chunk_purge(0);
    for (size_t i = 1; i < PIECES; i += 2) give(pieces[i]);
    assert_true(mappings() <= options.map_budget);
    chunk_purge(0);
    assert_int_equal(mappings(), 0);
  }
}

static void what_lies_behind_a_large_block_is_returned_once(void **state)
{
  (void)state;
  size_t held = bytes_of(3) + 20000;
  size_t os_page = os_page_bytes();
  give(take_touched(4));
  struct page *page = take_touched(4);  // dirty memory
  chunk_set_block_bytes(page, bits_align_up(held, os_page));
  assert_int_equal(chunk_purge_rests(), bytes_of(4) - page->block_bytes);
  assert_true(is_zero(page_start(page) + page->block_bytes, bytes_of(4) - page->block_bytes));
  assert_int_equal(page_start(page)[page->block_bytes - 1], 1);
  assert_int_equal(chunk_purge_rests(), 0);
  memset(page_start(page), 1, bytes_of(4));
  chunk_set_block_bytes(page, bytes_of(3) + os_page);
  assert_int_equal(chunk_purge_rests(), SLICE_BYTES - os_page);
  chunk_set_block_bytes(page, bytes_of(4));
  assert_int_equal(chunk_purge_rests(), 0);
  give(page);
}

// ---------------------------------------------------------------------------------------------
// Threads and forks.

static void *churn_runs(void *argument)
{
  struct random random = {(uintptr_t)argument};
  struct page *pages[8] = {NULL};
  for (size_t i = 0; i < test_scaled(5000); i++) {
    struct page **page = &pages[random_below(&random, 8)];
    bool is_clean;
    if (*page != NULL) {
      CHECK(page_start(*page)[0] == (char)(uintptr_t)page);
      give(*page);
    }
    *page = take(1 + (uint32_t)random_below(&random, 20), 1, PAGE_LARGE, &is_clean);
    CHECK(*page != NULL && (!is_clean || is_zero(page_start(*page), 4096)));
    page_start(*page)[0] = (char)(uintptr_t)page;
    page_start(*page)[4000] = 1;
    if (i % 64 == 0) chunk_purge(MIB);
  }
  for (size_t i = 0; i < 8; i++) {
    if (pages[i] != NULL) give(pages[i]);
  }
  return NULL;
}

static void threads_share_the_region(void **state)
{
  (void)state;
  static char seeds[THREADS];
  options.retain_bytes = MIB;
  threads_run(THREADS, churn_runs, seeds, 1);
  chunk_assert_valid();
}

static void *purge_until_over(void *unused)
{
  while (!atomic_load(&is_over)) chunk_purge(0);
  return unused;
}

// More than half of the region at a time: each run needs what the last one left, which is just
// being purged.
static void what_another_thread_is_purging_is_waited_for(void **state)
{
  (void)state;
  pthread_t purger;
  bool is_clean;
  atomic_store(&is_over, false);
  assert_int_equal(pthread_create(&purger, NULL, purge_until_over, NULL), 0);
  for (size_t i = 0; i < test_scaled(100); i++) {
    struct page *page = take(REGION_SLICES / 2 + 1, 1, PAGE_LARGE, &is_clean);
    assert_non_null(page);
    memset(page_start(page), 1, bytes_of(page->slices));
    give(page);
    page = take(REGION_SLICES / 2 + 1, 1, PAGE_LARGE, &is_clean);
    assert_non_null(page);
    give(page);
  }
  atomic_store(&is_over, true);
  assert_int_equal(pthread_join(purger, NULL), 0);
}

static void *dirty_until_over(void *unused)
{
  while (!atomic_load(&is_over)) give(take_touched(64));
  return unused;
}

static void fail_in_child(void)
{
  bool is_clean;
  chunk_after_fork();
  chunk_assert_valid();
  // What is being purged is free; what a thread was just taking hold of is lost.
  if (chunk_statistics().used_bytes > bytes_of(64)) fprintf(stderr, "lost a run\n");
  CHECK(take(REGION_SLICES + 1, 1, PAGE_LARGE, &is_clean) == NULL);
}

static void a_child_does_not_wait_for_purges_of_its_parent(void **state)
{
  (void)state;
  pthread_t threads[2];
  atomic_store(&is_over, false);
  assert_int_equal(pthread_create(&threads[0], NULL, purge_until_over, NULL), 0);
  assert_int_equal(pthread_create(&threads[1], NULL, dirty_until_over, NULL), 0);
  size_t losses = 0;
  size_t rounds = test_scaled(50);
  for (size_t i = 0; i < rounds; i++) {
    struct ending ending = child_run(fail_in_child);
    assert_int_equal(ending.exit_code, 0);
    losses += ending.text[0] != '\0';
  }
  assert_true(losses <= 1 + rounds / 50);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void it_serves_a_child_that_was_forked_amid_others_work(void **state)
{
  (void)state;
  pthread_t threads[2];
  options.retain_bytes = 64 * MIB;  // so that nothing is being purged at the moment of a fork
  atomic_store(&is_over, false);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_until_over, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(30); i++) child_check(check_child);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void assert_place(struct page *slice, enum page_kind kind, uint32_t slices, size_t held)
{
  struct chunk_place place = chunk_look_at(slice);
  assert_int_equal(place.kind, kind);
  assert_int_equal(place.slices, slices);
  assert_int_equal(place.held_bytes, held);
}

static void a_look_tells_blocks_and_free_runs_by_their_first_slice(void **state)
{
  (void)state;
  bool is_zero;
  options.retain_bytes = 64 * MIB;
  struct page *first = take_touched(3);
  struct page *middle = take_touched(4);
  struct page *last = take(2, 1, PAGE_LIST, &is_zero);
  assert_ptr_equal(first + 3, middle);
  assert_ptr_equal(middle + 4, last);
  assert_place(middle, PAGE_LARGE, 4, bytes_of(4));
  for (size_t i = 1; i < 4; i++) assert_place(middle + i, PAGE_NONE, 1, 0);
  assert_place(last, PAGE_NONE, 1, 0);  // its heap tells more of it
  assert_place(last + 1, PAGE_NONE, 1, 0);
  chunk_set_block_bytes(middle, bytes_of(3) + 4096);
  assert_place(middle, PAGE_LARGE, 4, bytes_of(3) + 4096);
  chunk_set_block_bytes(middle, bytes_of(4));
  give(middle);
  assert_place(middle, PAGE_FREE, 4, bytes_of(4));
  for (size_t i = 1; i < 4; i++) assert_place(middle + i, PAGE_NONE, 1, 0);
  chunk_purge(0);
  assert_place(middle, PAGE_FREE, 4, 0);
  give(first);
  give(last);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      REGION_TEST(a_fresh_run_reads_as_zero),
      REGION_TEST(a_look_tells_blocks_and_free_runs_by_their_first_slice),
      REGION_TEST(random_use_keeps_runs_apart_and_the_region_valid),
      REGION_TEST(memory_that_was_touched_is_handed_out_first),
      REGION_TEST(a_run_grows_into_what_is_free_behind_it_and_no_further),
      REGION_TEST(purging_returns_the_oldest_first_and_keeps_what_it_is_told),
      REGION_TEST(what_was_in_use_is_kept_for_the_next_time),
      REGION_TEST(clean_memory_is_taken_in_place_of_dirty_memory),
      REGION_TEST(free_memory_may_exceed_the_peak_by_a_share),
      REGION_TEST(the_past_peak_is_forgotten_in_time),
      REGION_TEST(dirty_and_clean_neighbours_make_one_run_together),
      REGION_TEST(free_memory_is_returned_when_its_time_is_over),
      REGION_TEST(a_limit_holds_and_free_memory_makes_room_under_it),
      REGION_TEST(a_purge_heals_what_was_split),
      REGION_TEST(what_lies_behind_a_large_block_is_returned_once),
      REGION_TEST(threads_share_the_region),
      REGION_TEST(what_another_thread_is_purging_is_waited_for),
      REGION_TEST(a_child_does_not_wait_for_purges_of_its_parent),
      REGION_TEST(it_serves_a_child_that_was_forked_amid_others_work),
      REGION_TEST(splits_stay_counted_and_within_the_budget_through_cutting_and_merging),
      REGION_TEST(random_use_keeps_to_a_small_budget_of_mappings),
  };
  return cmocka_run_group_tests(tests, region_start, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
