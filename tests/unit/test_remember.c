// SPDX-License-Identifier: MIT
//
// Which blocks the tracker is told of: by mode, after a resize, and when a heap ends.
#define _GNU_SOURCE 1
#include "tracked.h"

#include "track/remember.h"

static void begin(enum sampling_mode mode, size_t interval)
{
  CHECK(registry_init() && registry_current() != NULL);
  bool is_exact = mode == SAMPLING_EXACT;
  CHECK(tracker_start(is_exact ? TRACKER_EXACT : TRACKER_SAMPLED, interval));
  CHECK(sampling_start(mode, interval));
}

static void end(void)
{
  CHECK(sampling_stop());
  tracker_stop();
}

static bool is_known(void *block, struct tracker_block *known)
{
  struct page *page = tracked_page(block);
  return page_is_tracked(page) && tracker_look(page, block, known) && known->is_live;
}

static void give_back(void *block)
{
  struct tracker_block known;
  (void)tracker_remove(tracked_page(block), block, &known);
  tracked_give_back(block);
}

// Of a bitmap page, and large ones.
static const size_t sizes[] = {20000, 100000, 3 * MIB};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void take_all(void **blocks)
{
  for (size_t i = 0; i < SIZES; i++) {
    blocks[i] = tracked_take(sizes[i]);
    remember_if_due(tracked_page(blocks[i]), blocks[i], sizes[i], KIND_NEW, sampling_state());
  }
}

static void give_back_all(void **blocks)
{
  for (size_t i = 0; i < SIZES; i++) give_back(blocks[i]);
}

static void the_mode_says_which(void **state)
{
  (void)state;
  static const struct {
    enum sampling_mode mode;
    size_t interval;
    bool is_remembered;
  } cases[] = {{SAMPLING_EXACT, 1, true},
               {SAMPLING_SAMPLED, 1, true},  // as good as all: no block is so small
               {SAMPLING_SAMPLED, SAMPLING_INTERVAL_MOST, false},
               {SAMPLING_OFF, 1, false}};
  struct tracker_block known;
  void *blocks[SIZES];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (cases[i].mode != SAMPLING_OFF) begin(cases[i].mode, cases[i].interval);
    // Once in some hundred runs a block is a sample under the longest interval.
    for (int attempts = 0; attempts < 5; attempts++) {
      take_all(blocks);
      size_t count = 0;
      for (size_t j = 0; j < SIZES; j++) {
        if (!is_known(blocks[j], &known)) continue;
        count++;
        assert_int_equal(known.size, sizes[j]);
        assert_int_equal(known.kind, KIND_NEW);
        assert_int_equal(known.weight == 0, cases[i].mode == SAMPLING_EXACT);
      }
      give_back_all(blocks);
      if (count == (cases[i].is_remembered ? SIZES : 0)) break;
      assert_true(attempts < 4 && cases[i].interval == SAMPLING_INTERVAL_MOST);
    }
    if (cases[i].mode != SAMPLING_OFF) end();
  }
}

static void what_another_mode_was_asked_for_is_not_remembered(void **state)
{
  (void)state;
  struct tracker_block known;
  begin(SAMPLING_EXACT, 1);
  uint32_t before = sampling_state();
  end();
  begin(SAMPLING_EXACT, 1);
  void *block = tracked_take(20000);
  struct page *page = tracked_page(block);
  assert_false(remember_block(page, block, 20000, KIND_ANY, before));
  assert_false(is_known(block, &known));
  assert_true(remember_block(page, block, 20000, KIND_ANY, sampling_state()));
  assert_true(is_known(block, &known));
  give_back(block);
  end();
}

static void a_resize_is_remembered(void **state)
{
  (void)state;
  struct tracker_block known;
  void *block = tracked_take(20000);
  struct page *page = tracked_page(block);
  begin(SAMPLING_EXACT, 1);
  remember_resized(page, block, 20001, true);  // of a block that is not known
  assert_false(is_known(block, &known));
  assert_true(remember_block(page, block, 20000, KIND_ANY, sampling_state()));
  remember_resized(page, block, 20002, false);
  assert_true(is_known(block, &known) && known.size == 20002);
  remember_resized(page, block, 20003, true);
  assert_true(is_known(block, &known) && known.size == 20003);
  end();
  // A sample of the same block is one still; in another it is a new question.
  begin(SAMPLING_SAMPLED, 1);
  remember_if_due(page, block, 20000, KIND_ANY, sampling_state());
  remember_resized(page, block, 20004, false);
  assert_true(is_known(block, &known) && known.size == 20004 && known.weight != 0);
  remember_resized(page, block, 20005, true);
  assert_true(is_known(block, &known) && known.size == 20005);
  end();
  remember_resized(page, block, 20006, false);
  assert_true(is_known(block, &known) && known.size == 20006);  // outlasts the mode
  remember_resized(page, block, 20007, true);
  assert_false(is_known(block, &known));
  tracked_give_back(block);
}

static void a_heap_that_ends_is_forgotten(void **state)
{
  (void)state;
  enum { COUNT = 50 };
  struct tracker_block known;
  void *blocks[COUNT];
  begin(SAMPLING_EXACT, 1);
  struct heap *heap = registry_create();
  assert_non_null(heap);
  for (size_t i = 0; i < COUNT; i++) {
    size_t size = i % 10 == 0 ? 100000 : 1000 * (i + 1);
    blocks[i] = size > SIZE_CLASS_MAX_BYTES ? large_allocate(heap, size, 16, NULL)
                                            : heap_take(heap, size_class_of(size), NULL);
    assert_non_null(blocks[i]);
    remember_if_due(tracked_page(blocks[i]), blocks[i], size, KIND_ANY, sampling_state());
  }
  for (size_t i = 0; i < COUNT; i++) assert_true(is_known(blocks[i], &known));
  heap_enter(heap);
  remember_heap_end(heap);
  heap_leave(heap);
  for (size_t i = 0; i < COUNT; i++) assert_false(is_known(blocks[i], &known));
  registry_destroy(heap);
  end();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_mode_says_which),
      cmocka_unit_test(what_another_mode_was_asked_for_is_not_remembered),
      cmocka_unit_test(a_resize_is_remembered),
      cmocka_unit_test(a_heap_that_ends_is_forgotten),
  };
  return SUITE_RUN(tests);
}
