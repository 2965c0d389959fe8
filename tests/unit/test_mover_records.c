// SPDX-License-Identifier: MIT
//
// What is remembered of objects goes with them, whatever becomes of a move: at any time there is a
// record where an object is, and when all is quiet none elsewhere.
#define _GNU_SOURCE 1
#include "handles.h"

#include "core/sampling.h"
#include "track/record.h"
#include "track/tracker.h"

#define GRACE_NS UINT64_C(10000000000)
#define INTERVAL ((size_t)1)  // of which all blocks are samples

static const enum sampling_mode modes[] = {SAMPLING_EXACT, SAMPLING_SAMPLED};
enum { MODES = sizeof modes / sizeof modes[0] };

static struct mend_defrag_report report;

static void begin(enum sampling_mode mode)
{
  bool is_exact = mode == SAMPLING_EXACT;
  CHECK(tracker_start(is_exact ? TRACKER_EXACT : TRACKER_SAMPLED, INTERVAL));
  CHECK(sampling_start(mode, INTERVAL));
}

static void end(void)
{
  CHECK(sampling_stop());
  tracker_stop();
}

static struct tracker_block known_at(void *place)
{
  struct tracker_block known = {0};
  struct page *page = page_of_block(place);
  if (!page_is_tracked(page) || !tracker_look(page, place, &known) || !known.is_live) {
    known = (struct tracker_block){0};
  }
  return known;
}

static bool count_block(const struct tracker_block *block, void *count)
{
  (void)block;
  ++*(size_t *)count;
  return true;
}

static void count_page(struct page *page, void *count)
{
  (void)tracker_visit(page, count_block, count);
}

// All blocks of which it is known that they are in use.
static size_t known_count(void)
{
  size_t count = 0;
  record_each_page(count_page, &count);
  return count;
}

static struct tracker_block before[OBJECTS];

static void note_all(void)
{
  for (size_t i = 0; i < kept.count; i++) {
    before[i] = known_at(place_of(kept.handles[i]));
    CHECK(before[i].stack != 0 && before[i].thread != 0);
  }
}

// Of each object the same is known as then, where it is now.
static void assert_known(size_t size)
{
  for (size_t i = 0; i < kept.count; i++) {
    struct tracker_block now = known_at(place_of(kept.handles[i]));
    assert_ptr_equal(now.block, place_of(kept.handles[i]));
    assert_int_equal(now.size, size);
    assert_int_equal(now.stack, before[i].stack);
    assert_int_equal(now.thread, before[i].thread);
    assert_int_equal(now.ms, before[i].ms);
    assert_int_equal(now.weight, before[i].weight);
  }
  assert_int_equal(known_count(), kept.count);
}

static void records_go_with_their_objects(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 24, 1000, 5000, 18000};
  for (size_t i = 0; i < MODES * sizeof sizes / sizeof sizes[0]; i++) {
    size_t size = sizes[i / MODES];
    begin(modes[i % MODES]);
    make_sparse(size, 6);
    note_all();
    assert_known(size);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    assert_true(count_moved() > 0);
    assert_known(size);
    free_kept();
    assert_int_equal(known_count(), 0);
    end();
  }
}

static void write_all(void)
{
  for (size_t i = 0; i < kept.count; i++) write_object(kept.handles[i]);
}

static void write_all_elsewhere(void)
{
  run_elsewhere(write_all);
}

// Each object is known where it is also between any two steps of its move.
static void look_at_all(void)
{
  for (size_t i = 0; i < kept.count; i++) {
    CHECK(known_at(place_of(kept.handles[i])).stack == before[i].stack);
  }
}

static void a_move_that_is_called_off_leaves_no_second_record(void **state)
{
  (void)state;
  static const enum step steps[] = {STEP_TAKE_TARGET, STEP_GRACE_BARRIER};
  for (size_t i = 0; i < MODES * sizeof steps / sizeof steps[0]; i++) {
    begin(modes[i % MODES]);
    make_sparse(250, 5);
    note_all();
    ambush_at(steps[i / MODES], 1, 1, write_all_elsewhere);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    assert_true(ambush.sprung == 1 && report.vetoed > 0);
    assert_known(250);
    free_kept();
    assert_int_equal(known_count(), 0);
    end();
  }
}

static void an_object_is_known_throughout_its_move(void **state)
{
  (void)state;
  static const enum step steps[] = {STEP_COPY, STEP_ENTRY_EXCHANGE, STEP_FREE_BLOCK};
  for (size_t i = 0; i < MODES * sizeof steps / sizeof steps[0]; i++) {
    begin(modes[i % MODES]);
    make_sparse_of(400, 250, 5);
    note_all();
    ambush_at(steps[i / MODES], 1, SIZE_MAX, look_at_all);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    step_hook = NULL;
    assert_true(report.objects_moved > 0 && ambush.sprung >= report.objects_moved);
    assert_known(250);
    free_kept();
    end();
  }
}

static void free_all(void)
{
  for (size_t i = 0; i < kept.count; i++) CHECK(object_free(kept.handles[i], false) == MEND_OK);
}

static void free_all_elsewhere(void)
{
  run_elsewhere(free_all);
}

// Also between the copying of a record and the exchange, and right after that.
static void an_object_that_is_freed_while_it_is_moved_leaves_none(void **state)
{
  (void)state;
  static const enum step steps[] = {STEP_GRACE_BARRIER, STEP_TAKE_TARGET, STEP_ENTRY_EXCHANGE,
                                    STEP_FREE_BLOCK};
  for (size_t i = 0; i < MODES * sizeof steps / sizeof steps[0]; i++) {
    for (size_t passage = 1; passage < 400; passage += 33) {
      begin(modes[i % MODES]);
      make_sparse_of(1000, 250, 5);
      ambush_at(steps[i / MODES], passage, 1, free_all_elsewhere);
      assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
      step_hook = NULL;
      if (ambush.sprung == 0) free_all();
      assert_int_equal(known_count(), 0);
      (void)handle_heap_collect(heap, true);
      end();
    }
  }
}

// What is remembered exactly is not given up for what once was a sample.
static void samples_give_way_to_exact_records(void **state)
{
  (void)state;
  begin(SAMPLING_SAMPLED);
  make_sparse(250, 3);
  note_all();
  size_t samples = kept.count;
  end();
  assert_int_equal(known_count(), samples);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);  // in no mode
  assert_true(count_moved() > 0);
  assert_known(250);
  begin(SAMPLING_EXACT);
  enum { EXACT = 1000 };
  static uint64_t handles[EXACT];
  for (size_t i = 0; i < EXACT; i++) handles[i] = make_object(250);
  for (size_t i = 0; i < kept.count; i += 2) CHECK(object_free(kept.handles[i], false) == MEND_OK);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(report.objects_moved > 0);
  for (size_t i = 0; i < EXACT; i++) {
    struct tracker_block known = known_at(place_of(handles[i]));
    assert_true(known.block == place_of(handles[i]) && known.weight == 0 && known.size == 250);
  }
  for (size_t i = 0; i < EXACT; i++) CHECK(object_free(handles[i], false) == MEND_OK);
  for (size_t i = 1; i < kept.count; i += 2) CHECK(object_free(kept.handles[i], false) == MEND_OK);
  assert_int_equal(known_count(), 0);
  end();
}

static void what_is_forgotten_does_not_come_back_by_a_move(void **state)
{
  (void)state;
  begin(SAMPLING_EXACT);
  make_sparse(250, 5);
  end();
  assert_int_equal(known_count(), 0);
  begin(SAMPLING_EXACT);
  assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
  assert_true(count_moved() > 0);
  assert_int_equal(known_count(), 0);
  free_kept();
  end();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(records_go_with_their_objects),
      HANDLES_TEST(a_move_that_is_called_off_leaves_no_second_record),
      HANDLES_TEST(an_object_is_known_throughout_its_move),
      HANDLES_TEST(an_object_that_is_freed_while_it_is_moved_leaves_none),
      HANDLES_TEST(samples_give_way_to_exact_records),
      HANDLES_TEST(what_is_forgotten_does_not_come_back_by_a_move),
  };
  return SUITE_RUN(tests);
}
