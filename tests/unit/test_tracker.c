// SPDX-License-Identifier: MIT
//
// What is remembered of blocks: by whom they were allocated and freed, in both modes; and how many
// blocks a sample stands for.
#define _GNU_SOURCE 1
#include "tracked.h"

#include "track/site_table.h"
#include "track/thread_state.h"
#include "track/weight.h"

static void nothing_is_remembered_before_the_start(void **state)
{
  (void)state;
  struct tracker_block known;
  void *block = tracked_take(100);
  assert_int_equal(tracker_mode(), TRACKER_OFF);
  assert_false(tracker_add(tracked_page(block), block, 100, NULL, KIND_MALLOC));
  assert_int_equal(tracker_forgone(), 1);
  assert_false(tracker_remove(tracked_page(block), block, &known));
  assert_false(tracker_look(tracked_page(block), block, &known));
  tracker_resize(tracked_page(block), block, 90);
  tracked_give_back(block);
}

// Functions with frames, one of which is in each stack.
__attribute__((noinline)) static void *allocate_here(size_t size)
{
  void *block = tracked_allocate(size);
  (void)opaque(__builtin_frame_address(0));
  return block;
}

__attribute__((noinline)) static void free_here(void *block)
{
  tracked_free(block);
  (void)opaque(__builtin_frame_address(0));
}

// Whether an address in a stack lies in the function, or close behind it.
static bool is_in_stack(uint32_t stack, uintptr_t function)
{
  const struct site *site = site_of(stack);
  for (uint32_t i = 0; i < site->depth; i++) {
    if (site->addresses[i] > function && site->addresses[i] - function < 4096) return true;
  }
  return false;
}

static void a_block_is_known_by_its_stacks(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 100, 5000, 40000, 200000};
  assert_true(tracker_start(TRACKER_EXACT, 1));
  assert_int_equal(tracker_interval_bytes(), 0);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct tracker_block known;
    char *block = allocate_here(sizes[i]);
    struct page *page = tracked_page(block);
    assert_true(tracker_look(page, block + sizes[i] / 2, &known));
    assert_ptr_equal(known.block, block);
    assert_int_equal(known.size, sizes[i]);
    assert_true(known.is_live && known.twin == NULL && known.weight == 0);
    assert_int_equal(known.kind, KIND_MALLOC);
    assert_true(is_in_stack(known.stack, (uintptr_t)allocate_here));
    assert_int_equal(thread_state_kernel_number(known.thread), os_thread_number());
    tracker_resize(page, block, sizes[i] + 1);
    assert_true(tracker_look(page, block, &known));
    assert_int_equal(known.size, sizes[i] + 1);
    if (page_kind(page) == PAGE_LARGE) {
      free_here(block);
      continue;  // nothing is known of a page that is no more
    }
    void *neighbour = tracked_take(sizes[i]);  // so that the page stays
    free_here(block);
    assert_true(tracker_look(page, block, &known));
    assert_false(known.is_live);
    assert_true(is_in_stack(known.stack, (uintptr_t)allocate_here));
    assert_true(is_in_stack(known.free_stack, (uintptr_t)free_here));
    assert_int_equal(thread_state_kernel_number(known.free_thread), os_thread_number());
    assert_false(tracker_remove(page, block, &known));
    tracked_give_back(neighbour);
  }
  tracker_stop();
}

static void *free_in_thread(void *block)
{
  free_here(block);
  return NULL;
}

static void the_thread_that_frees_is_known(void **state)
{
  (void)state;
  struct tracker_block known;
  assert_true(tracker_start(TRACKER_EXACT, 1));
  void *neighbour = tracked_take(100);
  void *block = allocate_here(100);
  threads_run(1, free_in_thread, block, 0);
  assert_true(tracker_look(tracked_page(block), block, &known) && !known.is_live);
  assert_int_equal(thread_state_kernel_number(known.thread), os_thread_number());
  assert_int_not_equal(known.free_thread, known.thread);
  tracked_give_back(neighbour);
  tracker_stop();
}

struct visits {
  size_t count;
  size_t limit;
  void *found[64];
};

static bool visit(const struct tracker_block *block, void *argument)
{
  struct visits *visits = argument;
  CHECK(block->is_live && block->size == 3000);
  visits->found[visits->count++] = block->block;
  return visits->count < visits->limit;
}

static void live_blocks_of_a_page_are_visited_upwards(void **state)
{
  (void)state;
  struct visits visits = {.limit = 64};
  void *blocks[3];
  assert_true(tracker_start(TRACKER_EXACT, 1));
  for (size_t i = 0; i < 3; i++) blocks[i] = tracked_allocate(3000);
  struct page *page = tracked_page(blocks[0]);
  assert_true(tracker_visit(page, visit, &visits));
  assert_true(visits.count >= 1 && visits.count <= 3);
  assert_ptr_equal(visits.found[0], blocks[0]);
  for (size_t i = 1; i < visits.count; i++) assert_true(visits.found[i] > visits.found[i - 1]);
  visits.count = 0;
  visits.limit = 1;
  assert_false(tracker_visit(page, visit, &visits));
  assert_int_equal(visits.count, 1);
  for (size_t i = 0; i < 3; i++) tracked_free(blocks[i]);
  tracker_stop();
}

static void exact_knowledge_ends_with_the_mode_and_twins_stay(void **state)
{
  (void)state;
  struct tracker_block known;
  assert_true(tracker_start(TRACKER_EXACT, 1));
  void *block = tracked_allocate(100);
  tracker_stop();
  assert_false(tracker_look(tracked_page(block), block, &known));
  assert_true(tracker_start(TRACKER_SAMPLED, 1000));
  assert_int_equal(tracker_interval_bytes(), 1000);
  void *twin = tracked_take(3000);
  void *sample = tracked_take(2000);
  assert_true(tracker_add(tracked_page(sample), sample, 2000, twin, KIND_ANY));
  assert_true(tracker_start(TRACKER_SAMPLED, 5000));
  tracker_stop();
  assert_true(tracker_look(tracked_page(sample), sample, &known));
  assert_ptr_equal(known.twin, twin);
  assert_int_equal(tracker_interval_of(known.weight), 1000);  // that it was sampled by
  assert_true(tracker_remove(tracked_page(sample), sample, &known));
  assert_ptr_equal(known.twin, twin);
  tracked_give_back(sample);
  tracked_give_back(twin);
  tracked_give_back(block);
}

static void there_may_be_many_intervals(void **state)
{
  (void)state;
  for (size_t i = 1; i < 100; i++) {
    assert_true(tracker_start(TRACKER_SAMPLED, i * 1000));
    size_t interval = tracker_interval_bytes();
    assert_true(interval >= 1000 && interval < 100000);
    if (i <= 10) assert_int_equal(interval, i * 1000);
  }
  tracker_stop();
}

// ---------------------------------------------------------------------------------------------

static bool is_close(double value, double expected)
{
  return value > expected * (1 - 1e-13) && value < expected * (1 + 1e-13);
}

static void a_weight_is_the_inverse_of_a_probability(void **state)
{
  (void)state;
  const size_t interval = (size_t)1 << 40;
  assert_true(is_close(weight_of_sample(interval, interval), 1.5819767068693265));
  assert_true(is_close(weight_of_sample(interval / 2, interval), 2.541494082536797));
  assert_true(is_close(weight_of_sample(10 * interval, interval), 1.0000454019910097));
  assert_true(is_close(weight_of_sample(1, interval), (double)interval + 0.5));
  assert_true(weight_of_sample(16, 0) == 1);
  assert_true(weight_of_sample((size_t)1 << 46, 1) == 1);
  // Of two blocks, or one of twice the size, at least one is a sample as often.
  for (size_t bytes = 16; bytes < 30 * interval; bytes = bytes / 3 * 4) {
    double one = 1 / weight_of_sample(bytes, interval);
    assert_true(is_close(1 / weight_of_sample(2 * bytes, interval), one * (2 - one)));
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_remembered_before_the_start),
      cmocka_unit_test(a_block_is_known_by_its_stacks),
      cmocka_unit_test(the_thread_that_frees_is_known),
      cmocka_unit_test(live_blocks_of_a_page_are_visited_upwards),
      cmocka_unit_test(exact_knowledge_ends_with_the_mode_and_twins_stay),
      cmocka_unit_test(there_may_be_many_intervals),
      cmocka_unit_test(a_weight_is_the_inverse_of_a_probability),
  };
  return SUITE_RUN(tests);
}
