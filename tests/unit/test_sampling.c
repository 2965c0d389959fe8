// SPDX-License-Identifier: MIT
//
// Sampling by itself: how long rations are and how often a block is due, against what the geometric
// distribution says; the sampling heap; and where pages of all sorts lead frees to in each mode.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include "core/heap.h"
#include "core/registry.h"
#include "core/sampling.h"
#include "os/memory.h"

// exp(-x)
static double decay(double x)
{
  if (x > 50) return 0;
  double y = x / 1024;
  double result = 1 - y * (1 - y / 2 * (1 - y / 3 * (1 - y / 4 * (1 - y / 5))));
  for (int i = 0; i < 10; i++) result *= result;
  return result;
}

static const size_t block_sizes[] = {16, 64, 1000, 4096, 65536, 1 << 20};
static const size_t intervals[] = {1, 16, 500, 4096, 65536, 524288, SAMPLING_INTERVAL_MOST};
enum { SIZES = 6, INTERVALS = 7, DRAWS = 40000 };

static void set_interval(size_t interval)
{
  atomic_store(&sampling.interval, interval);
}

// Fails if a mean of so many draws is more than 6 standard deviations off.
static void assert_near(double mean, double expected, double variance, double draws)
{
  double error = mean - expected;
  assert_true(error * error <= 36 * variance / draws + 1e-9);
}

static void a_ration_is_geometric(void **state)
{
  (void)state;
  struct sampling_chance chance = {0};
  for (size_t i = 0; i < SIZES * INTERVALS; i++) {
    size_t bytes = block_sizes[i % SIZES];
    size_t interval = intervals[i / SIZES];
    if (bytes > SIZE_CLASS_SMALL_BYTES) continue;
    set_interval(interval);
    double none = decay((double)bytes / (double)interval);
    double sum = 0, longer = 0, at_least_half = 0;
    double half = (double)interval / (double)bytes / 2;
    for (size_t j = 0; j < DRAWS; j++) {
      uint32_t ration = sampling_draw(&chance, bytes);
      assert_true(ration >= 1);
      sum += ration;
      if (ration > 1) longer++;
      if (ration > (uint32_t)half) at_least_half++;
    }
    assert_near(sum / DRAWS, 1 / (1 - none), none / ((1 - none) * (1 - none)), DRAWS);
    assert_near(longer / DRAWS, none, none * (1 - none), DRAWS);
    double tail = decay((double)(uint32_t)half * (double)bytes / (double)interval);
    assert_near(at_least_half / DRAWS, tail, tail * (1 - tail), DRAWS);
  }
}

static void a_block_of_no_ration_is_due_as_often(void **state)
{
  (void)state;
  struct sampling_chance chance = {0};
  for (size_t i = 0; i < SIZES * INTERVALS; i++) {
    size_t bytes = block_sizes[i % SIZES];
    size_t interval = intervals[i / SIZES];
    set_interval(interval);
    atomic_store(&chance.state, UINT32_MAX);  // of another mode
    double due = 0;
    double probability = 1 - decay((double)bytes / (double)interval);
    for (size_t j = 0; j < DRAWS; j++) due += sampling_is_due(&chance, bytes);
    assert_near(due / DRAWS, probability, probability * (1 - probability), DRAWS);
  }
}

// Sizes in turn: what is left of a distance is as good as a new one.
static void sizes_do_not_depend_on_each_other(void **state)
{
  (void)state;
  struct sampling_chance chance = {0};
  set_interval(65536);
  double due[SIZES] = {0};
  for (size_t j = 0; j < DRAWS; j++) {
    for (size_t i = 0; i < SIZES; i++) due[i] += sampling_is_due(&chance, block_sizes[i]);
  }
  for (size_t i = 0; i < SIZES; i++) {
    double probability = 1 - decay((double)block_sizes[i] / 65536);
    assert_near(due[i] / DRAWS, probability, probability * (1 - probability), DRAWS);
  }
}

// ---------------------------------------------------------------------------------------------
// Modes.

static uint16_t lead_of(struct heap *heap, unsigned size_class)
{
  void *block = heap_take(heap, size_class, NULL);
  struct page *page = page_first(page_at(block));
  uint16_t offset = page_bin_offset(page);
  if (page_kind(page) == PAGE_BITMAP) {
    heap_put_medium(NULL, page, block, page_block_index(page, block));
  } else if (page->is_direct || heap->has_samples) {
    remote_free(page, block);
  } else {
    heap_put(heap, page, block);
  }
  return offset;
}

static void assert_led(struct heap *own, struct heap *shared, enum sampling_mode mode)
{
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    bool is_small = i < SIZE_CLASS_SMALL_COUNT;
    uint16_t expected = 0;
    if (is_small && mode == SAMPLING_OFF) expected = bin_offset(i);
    if (is_small && mode == SAMPLING_SAMPLED) expected = bin_freed_offset(i);
    assert_int_equal(lead_of(own, i), expected);
    assert_int_equal(lead_of(shared, i), 0);
    assert_int_equal(lead_of(sampling_heap(), i), 0);
  }
}

static void pages_old_and_new_lead_as_the_mode_says(void **state)
{
  (void)state;
  struct heap *own = registry_current();
  struct heap *shared = registry_create();
  assert_non_null(own);
  assert_non_null(shared);
  assert_led(own, shared, SAMPLING_OFF);
  for (int i = 0; i < 3; i++) {
    uint32_t before = sampling_state();
    assert_true(sampling_start(SAMPLING_SAMPLED, 1 << 16));
    assert_int_equal(sampling_mode(), SAMPLING_SAMPLED);
    assert_true(sampling_state() != before);
    assert_led(own, shared, SAMPLING_SAMPLED);
    assert_true(sampling_start(SAMPLING_EXACT, 1));
    assert_led(own, shared, SAMPLING_EXACT);
    assert_true(sampling_stop());
    assert_int_equal(sampling_mode(), SAMPLING_OFF);
    assert_led(own, shared, SAMPLING_OFF);
    heap_enter(own);
    heap_assert_valid(own);
    heap_leave(own);
  }
  registry_destroy(shared);
}

static void the_sampling_heap_is_one_and_nobodys(void **state)
{
  (void)state;
  struct heap *heap = sampling_heap();
  assert_non_null(heap);
  assert_ptr_equal(sampling_heap(), heap);
  assert_true(heap->has_samples);
  assert_false(registry_is_first_class(heap));
  heap_enter(heap);
  assert_null(sampling_heap());  // who is inside must not wait
  heap_leave(heap);
}

static void look_at_freed_bin(struct heap *heap, unsigned size_class)
{
  const struct bin *freed = heap_freed_bin(heap, size_class);
  uint32_t most = freed->limit + heap_bin(heap, size_class)->limit;
  uint32_t length = 0;
  for (struct block *block = freed->first; block != NULL; block = block_next(block)) length++;
  assert_true(length <= most);
}

// A ration is what is handed out before a sample, wherever the blocks come from.
static void a_bin_holds_no_more_than_the_ration(void **state)
{
  (void)state;
  struct heap *own = registry_current();
  enum { COUNT = 3000 };
  static void *blocks[COUNT];
  for (unsigned size_class = 0; size_class < SIZE_CLASS_SMALL_COUNT; size_class += 5) {
    assert_true(sampling_start(SAMPLING_SAMPLED, 100 * size_class_bytes(size_class)));
    for (size_t round = 0; round < 4; round++) {
      for (size_t i = 0; i < COUNT; i++) {
        uint32_t left = own->rations[size_class];
        bool is_first = round == 0 && i == 0;
        uint32_t waiting = bin_length(heap_bin(own, size_class));
        os_thread_notes.takes_sample = false;
        blocks[i] = heap_take(own, size_class, NULL);
        assert_non_null(blocks[i]);
        uint32_t left_now = own->rations[size_class] + bin_length(heap_bin(own, size_class));
        if (!is_first && !os_thread_notes.takes_sample) {
          assert_int_equal(left_now, left + waiting - 1);
        }
        if (!is_first && os_thread_notes.takes_sample) assert_int_equal(left + waiting, 0);
      }
      for (size_t i = 0; i < COUNT; i++) {
        size_t at = round % 2 == 0 ? i : COUNT - 1 - i;
        heap_put(own, page_first(page_at(blocks[at])), blocks[at]);
        if (i % 100 == 0) look_at_freed_bin(own, size_class);
      }
    }
    heap_enter(own);
    uint32_t left = own->rations[size_class] + bin_length(heap_bin(own, size_class));
    (void)heap_collect(own, true, false);
    assert_int_equal(own->rations[size_class], left);
    assert_null(heap_bin(own, size_class)->first);
    assert_null(heap_freed_bin(own, size_class)->first);
    heap_assert_valid(own);
    heap_leave(own);
  }
  assert_true(sampling_stop());
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_ration_is_geometric),
      cmocka_unit_test(a_block_of_no_ration_is_due_as_often),
      cmocka_unit_test(sizes_do_not_depend_on_each_other),
      cmocka_unit_test(pages_old_and_new_lead_as_the_mode_says),
      cmocka_unit_test(the_sampling_heap_is_one_and_nobodys),
      cmocka_unit_test(a_bin_holds_no_more_than_the_ration),
  };
  return SUITE_RUN(tests);
}
