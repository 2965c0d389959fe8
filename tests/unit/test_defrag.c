// SPDX-License-Identifier: MIT
//
// Passes: whole, within budgets, in the background, and in the child of a fork that has stopped a
// mover at any of its steps.
#define _GNU_SOURCE 1
#include "child.h"
#include "stopped.h"

#include "core/chunk.h"

static struct mend_defrag_report report;

static void begin_report(void)
{
  report = (struct mend_defrag_report){.bytes = sizeof report};
}

static enum mend_status step(const struct mend_defrag_budget *budget)
{
  begin_report();
  return defrag_step(heap, budget, &report);
}

static enum mend_status pass(void)
{
  begin_report();
  return defrag_pass(&report);
}

static double external(void)
{
  return fragmentation_of(heap).external;
}

// The least that pages of the size can be sparse by, in a heap with nothing else.
static void assert_dense(void)
{
  assert_int_equal(count_whole(), kept.count);
  assert_int_equal(count_in_state(ENTRY_LIVE), kept.count);
  begin_report();
  assert_int_equal(defrag_plan(&report), MEND_OK);
  assert_int_equal(report.objects_moved + report.pages_emptied, 0);
}

// ---------------------------------------------------------------------------------------------
// Budgets.

static void a_step_moves_no_more_objects_than_it_may(void **state)
{
  (void)state;
  const struct mend_defrag_budget budget = {.objects = 5, .grace_ns = 1000000000};
  enum mend_status status;
  size_t steps = 0;
  make_sparse(700, 5);
  do {
    status = step(&budget);
    steps++;
    assert_true(report.objects_moved <= 5);
    assert_true(status == MEND_PARTIAL ? report.objects_moved > 0 : status == MEND_OK);
  } while (status == MEND_PARTIAL);
  assert_true(steps > count_moved() / 5 && count_moved() > 5);
  assert_dense();
}

static void a_step_moves_no_more_bytes_than_it_may(void **state)
{
  (void)state;
  const struct mend_defrag_budget budget = {.bytes = 7000, .grace_ns = 1000000000};
  enum mend_status status;
  make_sparse(700, 5);
  do {
    status = step(&budget);
    assert_true(report.bytes_moved < 7000 + 700);
    assert_true(status == MEND_PARTIAL ? report.bytes_moved > 0 : status == MEND_OK);
  } while (status == MEND_PARTIAL);
  assert_true(count_moved() > 10);
  assert_dense();
}

static void a_step_takes_no_more_time_than_it_may(void **state)
{
  (void)state;
  const struct mend_defrag_budget budget = {.nanoseconds = 20000, .grace_ns = 1000000000};
  size_t steps = 0;
  enum mend_status status;
  make_sparse(16, 3);
  make_sparse(700, 5);
  do {
    status = step(&budget);
    steps++;
    assert_true(status == MEND_PARTIAL || status == MEND_OK);
  } while (status == MEND_PARTIAL && steps < 1000000);
  assert_int_equal(status, MEND_OK);
  assert_dense();
}

static void without_a_budget_a_step_is_a_pass(void **state)
{
  (void)state;
  make_sparse(700, 5);
  double before = external();
  assert_int_equal(step(NULL), MEND_OK);
  assert_true(report.objects_moved > 0 && report.objects_moved == count_moved());
  assert_true(report.bytes_freed > 0 && report.nanoseconds > 0);
  assert_true(external() < before);
  assert_dense();
}

static void steps_go_through_all_heaps(void **state)
{
  (void)state;
  const struct mend_defrag_budget budget = {.objects = 100, .grace_ns = 1000000000};
  struct handle_heap *first = heap;
  static uint64_t handles[OBJECTS];
  enum mend_status status;
  make_sparse(700, 5);
  size_t count = kept.count;
  memcpy(handles, kept.handles, sizeof handles);
  heap = handle_heap_create();
  make_sparse(300, 4);
  size_t moved = 0;
  do {
    begin_report();
    status = defrag_step(NULL, &budget, &report);
    assert_true(report.objects_moved <= 100);
    moved += report.objects_moved;
  } while (status == MEND_PARTIAL);
  assert_int_equal(status, MEND_OK);
  assert_true(moved > 200 && moved > count_moved() && count_moved() > 0);
  assert_dense();
  handle_heap_destroy(heap);
  heap = first;
  for (size_t i = 0; i < count; i++) assert_true(is_whole(handles[i]));
}

// ---------------------------------------------------------------------------------------------
// Not now.

static void within_a_scope_of_its_own_nobody_defragments(void **state)
{
  (void)state;
  make_sparse(700, 5);
  scope_enter();
  assert_int_equal(pass(), MEND_BUSY);
  assert_int_equal(step(NULL), MEND_BUSY);
  scope_leave();
  assert_int_equal(count_moved(), 0);
  scope_ensure();  // an implicit one ends
  assert_int_equal(pass(), MEND_OK);
  assert_int_equal(scope_depth(), 0);
  assert_dense();
}

static void one_defragments_at_a_time(void **state)
{
  (void)state;
  make_sparse(700, 5);
  os_lock_acquire(&heap->mover_lock);
  assert_int_equal(step(NULL), MEND_BUSY);
  assert_int_equal(pass(), MEND_BUSY);
  defrag_stir();
  os_lock_release(&heap->mover_lock);
  assert_int_equal(count_moved(), 0);
  assert_int_equal(step(NULL), MEND_OK);
  assert_true(count_moved() > 0);
}

static void a_pass_that_is_blocked_says_by_whom_and_leaves_nothing_closed(void **state)
{
  (void)state;
  make_sparse(700, 5);
  visitor_come(0);
  assert_int_equal(pass(), MEND_BLOCKED);
  assert_int_equal(report.blocker_count, 1);
  assert_int_equal(report.blockers[0].thread, visitor.number);
  assert_true(report.grace_ns >= 100000000 && report.nanoseconds >= report.grace_ns);
  assert_int_equal(count_moved(), 0);
  for (size_t i = 0; i < kept.count; i++) {
    assert_int_equal(page_of_block(kept.places[i])->flags & PAGE_IS_CLOSED, 0);
  }
  const struct mend_defrag_budget budget = {.grace_ns = 3000000};
  assert_int_equal(step(&budget), MEND_BLOCKED);
  assert_true(report.grace_ns >= 3000000 && report.grace_ns < 90000000);
  visitor_go();
  assert_int_equal(pass(), MEND_OK);
  assert_dense();
}

static struct page *take_nothing(const struct page_source *source, uint32_t slices,
                                 uint32_t alignment, struct page_request request, bool *is_zero)
{
  (void)source, (void)slices, (void)alignment, (void)request, (void)is_zero;
  return NULL;
}

static struct page_source exhausted;
static uint64_t extra[OBJECTS];
static size_t extra_count;

static void set_source(const struct page_source *source)
{
  for (size_t i = 0; i < HANDLE_LANES; i++) {
    struct lane *lane = atomic_load(&heap->lanes[i]);
    if (lane != NULL) lane->blocks.source = source;
  }
}

static void use_all_free_blocks(void)
{
  set_source(&exhausted);
  while ((extra[extra_count] = object_allocate(heap, 16, 700, 0, 0)) != 0) extra_count++;
}

static void without_memory_to_move_to_everything_stays(void **state)
{
  (void)state;
  exhausted = chunk_source;
  exhausted.take = take_nothing;
  make_sparse(700, 5);
  extra_count = 0;
  ambush_at(STEP_TAKE_TARGET, 1, 1, use_all_free_blocks);
  assert_int_equal(step(NULL), MEND_NO_MEMORY);
  assert_true(ambush.sprung == 1 && extra_count > 0);
  assert_int_equal(count_moved(), 0);
  assert_int_equal(count_in_state(ENTRY_LIVE), kept.count);
  set_source(&chunk_source);
  for (size_t i = 0; i < extra_count; i++) {
    assert_int_equal(object_free(extra[i], false), MEND_OK);
  }
  assert_int_equal(step(NULL), MEND_OK);
  assert_int_equal(step(NULL), MEND_OK);
  assert_dense();
}

// ---------------------------------------------------------------------------------------------
// Passes and plans.

static void a_pass_does_what_was_planned_and_says_so(void **state)
{
  (void)state;
  struct mend_defrag_report planned = {.bytes = sizeof planned};
  make_sparse(700, 5);
  (void)handle_heap_collect(heap, true);
  assert_int_equal(defrag_plan(&planned), MEND_OK);
  assert_int_equal(count_moved(), 0);
  assert_int_equal(pass(), MEND_OK);
  // of equally full pages the plan takes the mean
  assert_in_range(report.objects_moved, planned.objects_moved - planned.pages_emptied,
                  planned.objects_moved + planned.pages_emptied);
  assert_int_equal(report.pages_emptied, planned.pages_emptied);
  assert_int_equal(report.pages_examined, planned.pages_examined);
  assert_int_equal(report.bytes_moved, report.objects_moved * 700);
  assert_true(planned.bytes_freed > 0 && report.bytes_freed >= planned.bytes_freed);
  assert_true(planned.after.external < planned.before.external);
  assert_true(report.after.external < report.before.external);
  // a plan takes every page for wholly resident
  assert_true(report.after.external <= planned.after.external + 0.05);
  assert_int_equal(report.before.objects, kept.count);
  assert_int_equal(report.after.objects, kept.count);
  assert_int_equal(report.after.object_bytes, kept.count * 700);
  assert_dense();
}

static void leaves_of_the_table_are_given_back(void **state)
{
  (void)state;
  make_sparse(16, OBJECTS);
  size_t before = fragmentation_of(heap).table_bytes;
  assert_int_equal(pass(), MEND_OK);
  assert_true(report.table_freed > 0);
  assert_int_equal(fragmentation_of(heap).table_bytes, before - report.table_freed);
  for (size_t i = 1; i < OBJECTS; i++) (void)make_object(16);
  assert_int_equal(fragmentation_of(heap).table_bytes, before);
  assert_true(is_whole(kept.handles[0]));
}

static void stirring_moves_objects_of_a_dense_heap(void **state)
{
  (void)state;
  make_sparse(700, 1);
  for (size_t i = 0; i < 50; i++) defrag_stir();
  assert_true(count_moved() >= 50);
  assert_int_equal(count_whole(), kept.count);
  assert_int_equal(count_in_state(ENTRY_LIVE), kept.count);
}

// ---------------------------------------------------------------------------------------------
// In the background.

static const struct mend_defrag_options eager = {sizeof eager, 100, 0.1, 1000, 1};

static void wait_until_dense(void)
{
  for (size_t i = 0; i < 20000; i++) {
    if (external() < 0.1) return;
    os_sleep_ms(1);
  }
  CHECK(external() < 0.1);
}

static void start_in_child(void)
{
  defrag_stop();
  CHECK(external() > 0.5);
  CHECK(defrag_start(eager) == MEND_OK);
  wait_until_dense();
  defrag_stop();
}

static void a_thread_in_the_background_compacts_until_it_is_stopped(void **state)
{
  (void)state;
  if (TEST_IS_WASTEFUL) return;  // pages are too small to get dense
  defrag_stop();
  for (size_t i = 0; i < 2; i++) {
    make_sparse(700, 5);
    assert_int_equal(defrag_start(eager), MEND_OK);
    assert_int_equal(defrag_start(eager), MEND_BUSY);
    wait_until_dense();
    defrag_stop();
    assert_int_equal(count_whole(), kept.count);
    free_kept();
    make_sparse(700, 5);
    os_sleep_ms(20);
    assert_int_equal(count_moved(), 0);
    free_kept();
  }
}

static void in_the_child_of_a_fork_it_does_not_run(void **state)
{
  (void)state;
  if (TEST_IS_WASTEFUL || HAS_THREAD_SANITIZER) return;  // for which no child may start threads
  const struct mend_defrag_options lazy = {sizeof lazy, 1, 0.9999, SIZE_MAX, 1000};
  assert_int_equal(defrag_start(lazy), MEND_OK);
  make_sparse(700, 5);
  child_check(start_in_child);
  assert_int_equal(count_moved(), 0);
  defrag_stop();
}

// ---------------------------------------------------------------------------------------------
// Fork, while a mover is stopped.

static size_t count_closed_pages(void)
{
  size_t count = 0;
  struct lane *lane;
  for (uint32_t i = 0; i < HANDLE_LANES; i++) {
    if (!lane_enter_number(heap, i, &lane)) continue;
    struct list *pages = &lane->blocks.pages;
    for (struct list *at = pages->next; at != pages; at = at->next) {
      count += (CONTAINER_OF(at, struct page, chain)->flags & PAGE_IS_CLOSED) != 0;
    }
    lane_leave(lane);
  }
  return count;
}

static void go_on_in_child(void)
{
  alarm(60);
  step_hook = NULL;
  CHECK(count_whole() == kept.count);
  CHECK(count_in_state(ENTRY_LIVE) == kept.count);
  for (size_t i = 0; i < kept.count; i += 3) {
    CHECK(object_free(kept.handles[i], i % 2 == 0) == MEND_OK);
    kept.handles[i] = make_object(700);
  }
  for (size_t i = 0; i < 2; i++) {
    CHECK(pass() == MEND_OK);
    CHECK(count_whole() == kept.count);
  }
  CHECK(count_closed_pages() == 0);
  CHECK(external() < 0.6 || TEST_IS_WASTEFUL);
  free_kept();
  CHECK(pass() == MEND_OK);
  CHECK(fragmentation_of(heap).objects <= MOVER_TARGETS + 1);  // blocks that the mover had taken
  handle_heap_destroy(heap);
  heap = handle_heap_create();
  make_sparse(700, 5);
  CHECK(pass() == MEND_OK);
}

static void a_fork_may_stop_a_mover_anywhere(void **state)
{
  (void)state;
  static const size_t passages[] = {1, 70, 3, 400};
  size_t stops = 0, passage_count = 2 + test_scaled(4) / 2;
  for (unsigned strict = 0; strict < 2; strict++) {
    options.handle_strict = strict;
    for (int i = 0; i < STEP_COUNT; i++) {
      for (size_t j = 0; j < passage_count; j++) {
        make_sparse(700, 5);
        bool has_stopped = stopped_start((enum step)i, passages[j]);
        if (has_stopped) child_check(go_on_in_child);
        stops += has_stopped;
        assert_int_equal(stopped_end(), MEND_OK);
        assert_int_equal(count_whole(), kept.count);
        free_kept();
      }
    }
  }
  assert_true(stops > 20);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(a_step_moves_no_more_objects_than_it_may),
      HANDLES_TEST(a_step_moves_no_more_bytes_than_it_may),
      HANDLES_TEST(a_step_takes_no_more_time_than_it_may),
      HANDLES_TEST(without_a_budget_a_step_is_a_pass),
      HANDLES_TEST(steps_go_through_all_heaps),
      HANDLES_TEST(within_a_scope_of_its_own_nobody_defragments),
      HANDLES_TEST(one_defragments_at_a_time),
      HANDLES_TEST(a_pass_that_is_blocked_says_by_whom_and_leaves_nothing_closed),
      HANDLES_TEST(without_memory_to_move_to_everything_stays),
      HANDLES_TEST(a_pass_does_what_was_planned_and_says_so),
      HANDLES_TEST(leaves_of_the_table_are_given_back),
      HANDLES_TEST(stirring_moves_objects_of_a_dense_heap),
      HANDLES_TEST(a_thread_in_the_background_compacts_until_it_is_stopped),
      HANDLES_TEST(in_the_child_of_a_fork_it_does_not_run),
      HANDLES_TEST(a_fork_may_stop_a_mover_anywhere),
  };
  return SUITE_RUN(tests);
}
