// SPDX-License-Identifier: MIT
//
// The mover: what a move keeps, who calls it off, and what it leaves behind when it cannot go on.
// Ambushes put others between any two of its steps.
#define _GNU_SOURCE 1
#include "handles.h"

#include <limits.h>

#define GRACE_NS UINT64_C(10000000000)
#define SHORT_NS UINT64_C(1000000)
#define IS_ALWAYS_STRICT (HAS_THREAD_SANITIZER || ANNOTATE_ACTIVE)

static struct mend_defrag_report report;

static size_t pages_to_empty(void)
{
  static struct plan plan;
  size_t pages = 0;
  plan_make(&plan, heap);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) pages += plan.classes[i].emptied;
  return pages;
}

// All objects are where they may stay, and no page is closed.
static void assert_settled(void)
{
  assert_int_equal(count_whole(), kept.count);
  assert_int_equal(count_in_state(ENTRY_LIVE), kept.count);
  for (size_t i = 0; i < kept.count; i++) {
    struct page *page = page_of_block(place_of(kept.handles[i]));
    assert_int_equal(page->flags & PAGE_IS_CLOSED, 0);
    assert_int_equal(page->is_source, 0);
  }
  if (heap->mover != NULL) evacuation_assert_valid(&heap->mover->evacuation);
  pin_table_assert_valid(&heap->pins);
  handle_table_assert_valid(&heap->table);
  for (size_t i = 0; i < HANDLE_LANES; i++) {
    struct lane *lane;
    if (!lane_enter_number(heap, (uint32_t)i, &lane)) continue;
    heap_assert_valid(&lane->blocks);
    lane_leave(lane);
  }
}

// ---------------------------------------------------------------------------------------------
// Nobody in the way.

static void objects_keep_their_contents_and_handles(void **state)
{
  (void)state;
  static const size_t sizes[] = {0, 1, 16, 24, 100, 1000, 3000, 5000, 10000, 18000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    make_sparse(sizes[i], 6);
    size_t pages = pages_to_empty();
    assert_true(pages > 0);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    assert_true(report.objects_moved > 0);
    assert_int_equal(report.objects_moved, count_moved());
    assert_int_equal(report.bytes_moved, report.objects_moved * sizes[i]);
    assert_int_equal(report.pages_emptied, pages);
    assert_int_equal(report.vetoed + report.pinned + report.blocker_count, 0);
    assert_int_equal(pages_to_empty(), 0);
    assert_settled();
    free_kept();
  }
}

static void the_second_pass_has_nothing_to_do(void **state)
{
  (void)state;
  make_sparse(200, 5);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(report.objects_moved > 0);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_int_equal(report.objects_moved + report.pages_emptied, 0);
  assert_null(heap->mover);
  assert_settled();
}

static void a_move_does_no_more_than_it_was_told(void **state)
{
  (void)state;
  size_t most = 0;
  enum mend_status status = MEND_PARTIAL;
  make_sparse(500, 7);
  report = (struct mend_defrag_report){.bytes = sizeof report};
  assert_true(mover_begin(heap, &report));
  for (size_t i = 0; status == MEND_PARTIAL; i++) {
    size_t objects = report.objects_moved;
    status = i % 2 == 0 ? mover_move(heap, 2, SIZE_MAX, GRACE_NS, &report)
                        : mover_move(heap, SIZE_MAX, 501, GRACE_NS, &report);
    size_t moved = report.objects_moved - objects;
    assert_true(moved <= 2);
    most = moved > most ? moved : most;
    assert_true(mover_begin(heap, &report));  // goes on with the same
  }
  assert_int_equal(status, MEND_OK);
  assert_int_equal(most, 2);
  mover_end(heap, &report);
  assert_int_equal(pages_to_empty(), 0);
  assert_settled();
}

static void a_pass_that_is_ended_early_leaves_pages_open(void **state)
{
  (void)state;
  make_sparse(500, 7);
  report = (struct mend_defrag_report){.bytes = sizeof report};
  assert_true(mover_begin(heap, &report));
  assert_int_equal(mover_move(heap, 3, SIZE_MAX, GRACE_NS, &report), MEND_PARTIAL);
  mover_end(heap, &report);
  assert_settled();
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_int_equal(pages_to_empty(), 0);
}

static void objects_move_without_need_if_told_so(void **state)
{
  (void)state;
  uint32_t index = 0;
  make_sparse(300, 1);
  for (size_t i = 0; i < 3; i++) {
    uint32_t before = index;
    report = (struct mend_defrag_report){.bytes = sizeof report};
    assert_true(mover_begin_anywhere(heap, &index, 16));
    uint32_t again = 0;
    assert_false(mover_begin_anywhere(heap, &again, 16));  // one pass at a time
    assert_int_equal(mover_move(heap, 16, SIZE_MAX, GRACE_NS, &report),
                     TEST_IS_WASTEFUL ? MEND_PARTIAL : MEND_OK);
    mover_end(heap, &report);
    assert_int_equal(index, before + 16);
    assert_int_equal(report.objects_moved, TEST_IS_WASTEFUL ? 3 : 16);
  }
  assert_int_equal(count_moved(), TEST_IS_WASTEFUL ? 9 : 48);
  assert_settled();
  index = UINT32_MAX;  // from the start again
  assert_true(mover_begin_anywhere(heap, &index, 1));
  mover_end(heap, &report);
  assert_int_equal(index, 1);
}

// ---------------------------------------------------------------------------------------------
// Readers and others between announce and commit.

static void write_all(void)
{
  for (size_t i = 0; i < kept.count; i++) {
    scope_enter();
    char *address = object_resolve(kept.handles[i]);
    CHECK(address != NULL);
    memset(address, 0, object_bytes(kept.handles[i]));  // what a torn copy would have
    write_object(kept.handles[i]);
    scope_leave();
  }
}

static size_t announced_first;

static void visit_all(void)
{
  if (ambush.sprung == 1) announced_first = count_in_state(ENTRY_MOVING);
  run_elsewhere(write_all);
}

static void a_move_that_a_reader_calls_off_is_tried_again(void **state)
{
  (void)state;
  static const enum step steps[] = {STEP_GRACE_BARRIER, STEP_GRACE_EPOCH, STEP_GRACE_SCAN,
                                    STEP_TAKE_TARGET, STEP_COPY};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    if (IS_ALWAYS_STRICT && steps[i] == STEP_COPY) continue;  // readers wait for the copy
    make_sparse(250, 5);
    size_t pages = pages_to_empty();
    ambush_at(steps[i], 1, 1, visit_all);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    assert_int_equal(ambush.sprung, 1);
    assert_true(report.vetoed > 0 && report.objects_moved == count_moved());
    assert_int_equal(report.pages_emptied, pages);
    assert_settled();
    free_kept();
  }
}

static void what_is_called_off_again_and_again_stays(void **state)
{
  (void)state;
  make_sparse(250, 5);
  ambush_at(STEP_TAKE_TARGET, 1, SIZE_MAX, visit_all);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(ambush.sprung >= MOVER_ROUNDS);
  assert_int_equal(report.objects_moved + report.pages_emptied, 0);
  if (!TEST_IS_WASTEFUL) assert_int_equal(report.vetoed, announced_first * MOVER_ROUNDS);
  assert_int_equal(count_moved(), 0);
  assert_settled();
}

static void free_all_at_once(void)
{
  for (size_t i = 0; i < kept.count; i++) CHECK(object_free(kept.handles[i], false) == MEND_OK);
}

static void free_all_elsewhere(void)
{
  run_elsewhere(free_all_at_once);
}

static void an_object_may_be_freed_while_it_is_moved(void **state)
{
  (void)state;
  static const enum step steps[] = {STEP_ENTRY_EXCHANGE, STEP_GRACE_BARRIER, STEP_TAKE_TARGET,
                                    STEP_COPY};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    if (IS_ALWAYS_STRICT && steps[i] == STEP_COPY) continue;
    for (size_t passage = 1; passage < 4; passage++) {
      make_sparse(250, 5);
      ambush_at(steps[i], passage, 1, free_all_elsewhere);
      assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
      if (ambush.sprung == 0) free_all_at_once();  // there was but one passage
      assert_true(ambush.sprung > 0 || passage > 1);
      assert_int_equal(report.vetoed + report.pinned, 0);
      for (size_t j = 0; j < kept.count; j++) {
        assert_int_equal(object_status(kept.handles[j]), MEND_STALE);
      }
      (void)handle_heap_collect(heap, true);
      struct mend_fragmentation now = fragmentation_of(heap);
      assert_int_equal(now.objects + now.block_bytes + now.resident_bytes, 0);
    }
  }
}

static void free_all_later(void)
{
  for (size_t i = 0; i < kept.count; i++) CHECK(object_free(kept.handles[i], true) == MEND_OK);
}

static void an_object_may_be_freed_later_while_it_is_moved(void **state)
{
  (void)state;
  static const enum step steps[] = {STEP_GRACE_BARRIER, STEP_TAKE_TARGET};
  for (size_t i = 0; i < 2; i++) {
    make_sparse(250, 5);
    ambush_at(steps[i], 1, 1, free_all_later);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    assert_int_equal(report.objects_moved + report.vetoed + report.pinned, 0);
    deferred_flush(heap);
    deferred_flush(heap);
    (void)handle_heap_collect(heap, true);
    assert_int_equal(fragmentation_of(heap).resident_bytes, 0);
  }
}

static uint64_t pinned;
static void *pinned_at;

static void choose_announced(void)
{
  size_t i = 0;
  while (state_of(kept.handles[i]) != ENTRY_MOVING) CHECK(++i < kept.count);
  pinned = kept.handles[i];
}

static void pin_announced(void)
{
  enum mend_status status;
  choose_announced();
  pinned_at = object_pin(pinned, &status);
  CHECK(status == MEND_OK);
}

// As by who found the object before it was announced, and has closed the scope since.
static void set_the_bit_of_announced(void)
{
  choose_announced();
  enum pin_result result = pin_hold(&heap->pins, pinned, handle_entry(pinned), handle_info(pinned));
  CHECK(result == PIN_HELD);
  pinned_at = place_of(pinned);
}

static void what_is_pinned_while_it_is_moved_stays(void **state)
{
  (void)state;
  void (*const ways[])(void) = {pin_announced, set_the_bit_of_announced};
  for (size_t i = 0; i < 2; i++) {
    make_sparse(5000, 13);
    ambush_at(STEP_GRACE_EPOCH, 1, 1, ways[i]);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    assert_ptr_equal(place_of(pinned), pinned_at);
    assert_true(report.objects_moved > 0);
    assert_int_equal(report.pinned, 1);
    assert_int_equal(report.vetoed, i == 0);  // by who pins
    assert_settled();
    assert_int_equal(object_unpin(pinned), MEND_OK);
    free_kept();
  }
}

static void pinned_objects_are_counted_and_stay_until_they_are_not(void **state)
{
  (void)state;
  enum mend_status status;
  make_sparse(250, 5);
  for (size_t i = 0; i < kept.count; i++) (void)object_pin(kept.handles[i], &status);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(report.pinned > 0 && report.objects_moved == 0);
  assert_int_equal(count_moved(), 0);
  for (size_t i = 0; i < kept.count; i++) {
    assert_int_equal(object_unpin(kept.handles[i]), MEND_OK);
  }
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_int_equal(report.pinned, 0);
  assert_true(report.objects_moved > 0);
  assert_settled();
}

// ---------------------------------------------------------------------------------------------
// Scopes.

static void an_open_scope_blocks_and_everything_is_rolled_back(void **state)
{
  (void)state;
  make_sparse(250, 5);
  for (size_t i = 0; i < 2; i++) {
    uint64_t last = kept.handles[kept.count - 1];
    visitor_come(i == 0 ? 0 : last);
    assert_int_equal(run_pass(&report, SHORT_NS), MEND_BLOCKED);
    assert_true(report.grace_ns >= SHORT_NS);
    assert_int_equal(report.objects_moved + count_moved(), 0);
    assert_int_equal(count_in_state(ENTRY_LIVE), kept.count);
    assert_int_equal(report.blocker_count, 1);
    assert_int_equal(report.blockers[0].thread, visitor.number);
    assert_int_equal(report.blockers[0].is_implicit, i);
    visitor_go();
    assert_settled();
  }
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(report.objects_moved > 0);
  assert_int_equal(pages_to_empty(), 0);
}

static void after_a_blocked_batch_the_pass_can_go_on(void **state)
{
  (void)state;
  enum mend_status status = MEND_PARTIAL;
  make_sparse(250, 5);
  size_t pages = pages_to_empty();
  report = (struct mend_defrag_report){.bytes = sizeof report};
  assert_true(mover_begin(heap, &report));
  visitor_come(0);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(mover_move(heap, 100, SIZE_MAX, SHORT_NS, &report), MEND_BLOCKED);
  }
  visitor_go();
  while (status == MEND_PARTIAL) status = mover_move(heap, SIZE_MAX, SIZE_MAX, GRACE_NS, &report);
  mover_end(heap, &report);
  assert_int_equal(status, MEND_OK);
  if (!TEST_IS_WASTEFUL) assert_int_equal(report.pages_emptied, pages);
  assert_settled();
}

// ---------------------------------------------------------------------------------------------
// Strict mode.

static _Atomic(int) reading;  // 1: about to, 2: done
static pthread_t strict_reader;

static void *read_strictly(void *unused)
{
  atomic_store(&reading, 1);
  for (size_t i = 0; i < kept.count; i++) CHECK(is_whole(kept.handles[i]));
  atomic_store(&reading, 2);
  return unused;
}

static void start_reading(void)
{
  atomic_store(&reading, 0);
  CHECK(pthread_create(&strict_reader, NULL, read_strictly, NULL) == 0);
  while (atomic_load(&reading) == 0) sched_yield();
  os_sleep_ms(30);
  CHECK(atomic_load(&reading) == 1);
}

static void in_the_strict_mode_readers_wait_for_the_copy(void **state)
{
  (void)state;
  options.handle_strict = true;
  make_sparse(250, 5);
  ambush_at(STEP_COPY, 1, 1, start_reading);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_int_equal(pthread_join(strict_reader, NULL), 0);
  assert_true(report.objects_moved > 0);
  assert_int_equal(pages_to_empty(), 0);
  assert_settled();
  free_kept();
  objects_keep_their_contents_and_handles(NULL);
}

// ---------------------------------------------------------------------------------------------
// Poison.

static void old_copies_are_overwritten(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) return;  // they must not be looked at
  options.handle_poison = true;
  make_sparse(250, 2);
  enum mend_status status;
  for (size_t i = 0; i < kept.count; i += 10) (void)object_pin(kept.handles[i], &status);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  size_t poisoned = 0;
  for (size_t i = 0; i < kept.count; i++) {
    unsigned char *old = kept.places[i];
    if (place_of(kept.handles[i]) == old || page_bitmap_is_unused(page_of_block(old))) continue;
    poisoned += old[0] == 0xDB && old[249] == 0xDB;
  }
  if (!TEST_IS_WASTEFUL) assert_true(poisoned > 0);
  assert_settled();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(objects_keep_their_contents_and_handles),
      HANDLES_TEST(the_second_pass_has_nothing_to_do),
      HANDLES_TEST(a_move_does_no_more_than_it_was_told),
      HANDLES_TEST(a_pass_that_is_ended_early_leaves_pages_open),
      HANDLES_TEST(objects_move_without_need_if_told_so),
      HANDLES_TEST(a_move_that_a_reader_calls_off_is_tried_again),
      HANDLES_TEST(what_is_called_off_again_and_again_stays),
      HANDLES_TEST(an_object_may_be_freed_while_it_is_moved),
      HANDLES_TEST(an_object_may_be_freed_later_while_it_is_moved),
      HANDLES_TEST(what_is_pinned_while_it_is_moved_stays),
      HANDLES_TEST(pinned_objects_are_counted_and_stay_until_they_are_not),
      HANDLES_TEST(an_open_scope_blocks_and_everything_is_rolled_back),
      HANDLES_TEST(after_a_blocked_batch_the_pass_can_go_on),
      HANDLES_TEST(in_the_strict_mode_readers_wait_for_the_copy),
      HANDLES_TEST(old_copies_are_overwritten),
  };
  return SUITE_RUN(tests);
}
