// SPDX-License-Identifier: MIT
//
// Guards of the hardened policy, between pages and around large blocks: where they are, what
// becomes of them when memory goes back, and that they keep within the budget where the kernel has
// no marks for them, so that each is a mapping. That kernel is played by the test; so are calls
// that fail.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "../support/kernel_guards.h"

#include "core/large.h"
#include "guards.h"
#include "pools.h"

static struct heap heap;
static uint64_t usual_budget;

static void begin(unsigned level)
{
  pools_begin(&heap, level);
  options.map_budget = usual_budget;
  kernel.refuses_mappings = false;
}

// ---------------------------------------------------------------------------------------------
// Pages.

// Of at least so many pages.
static void take_pages(size_t count)
{
  while (fixture.pages_out < count) (void)pools_take(&heap);
}

static struct page *page_out(size_t place)
{
  for (size_t i = 0; i < FIXTURE_SLICES; i++) {
    if (page_kind(&fixture.pages[i]) == PAGE_BITMAP && place-- == 0) return &fixture.pages[i];
  }
  return NULL;
}

static bool ends_in_guard(const struct page *page)
{
  const char *end = page_start(page) + page_run_bytes(page);
  bool is_guard = !can_read(end - 1);
  assert_true(can_read(end - os_page_bytes()) != is_guard);
  assert_true(can_read(end - os_page_bytes() - 1));
  assert_true(can_read(page_start(page)));
  return is_guard;
}

static size_t count_guards(void)
{
  size_t count = 0;
  for (size_t i = 0; i < fixture.pages_out; i++) count += ends_in_guard(page_out(i));
  return count;
}

// Nothing is a guard any more in the slices that are taken first.
static void assert_readable(void)
{
  for (size_t i = 0; i < FIXTURE_SLICES / 16; i++) {
    const char *start = (char *)region.start + i * SLICE_BYTES;
    for (size_t at = 0; at < SLICE_BYTES; at += os_page_bytes()) {
      if (!can_read(start + at)) fail_msg("slice %zu, byte %zu", i, at);
    }
  }
}

static void pages_end_in_guards_from_level_1_on(void **state)
{
  (void)state;
  for (unsigned level = 0; level <= 3; level++) {
    begin(level);
    take_pages(10);
    assert_int_equal(count_guards(), level >= 1 ? fixture.pages_out : 0);
    free_all(&heap);
    assert_readable();
  }
}

static void void_pages_are_guards(void **state)
{
  (void)state;
  begin(2);
  heap.request.flags |= PAGE_REQUEST_VOID;
  char *block = heap_take(&heap, pools_class(), NULL);
  struct page *page = page_of(block);
  assert_true(policy_is_void(page));
  assert_false(can_read(block));
  assert_false(can_read(page_start(page)));
  assert_false(can_read(page_start(page) + page_run_bytes(page) - 1));
  free_all(&heap);
  assert_readable();
}

static void guards_keep_within_the_budget(void **state)
{
  (void)state;
  begin(2);
  options.map_budget = 7;  // a guard costs two
  for (int i = 0; i < 3; i++) {
    take_pages(8);
    assert_int_equal(count_guards(), 3);
    free_all(&heap);  // they are to be had again
  }
  options.map_budget = 0;
  take_pages(3);
  assert_int_equal(count_guards(), 0);
  free_all(&heap);
}

static void a_guard_that_the_kernel_refuses_costs_nothing(void **state)
{
  (void)state;
  begin(2);
  options.map_budget = 6;
  kernel.refuses_mappings = true;
  take_pages(5);
  assert_int_equal(count_guards(), 0);
  kernel.refuses_mappings = false;
  take_pages(fixture.pages_out + 5);
  assert_int_equal(count_guards(), 3);
  free_all(&heap);
}

static void a_page_whose_guard_stays_goes_to_nobody(void **state)
{
  (void)state;
  begin(2);
  take_pages(2);
  size_t pages = fixture.pages_out;
  kernel.refuses_mappings = true;
  free_all(&heap);
  kernel.refuses_mappings = false;
  assert_int_equal(fixture.pages_out, pages);
  (void)fixture_set_back(state);
  allow_touch((void *)region.start, FIXTURE_SLICES * SLICE_BYTES);
  assert_true(os_guard_remove((char *)region.start, FIXTURE_SLICES * SLICE_BYTES));
}

// ---------------------------------------------------------------------------------------------
// What a page holds when it goes back.

static void assert_zero_after(unsigned level, bool is_object, bool is_forgotten)
{
  begin(level);
  heap.has_objects = is_object;
  char *block = pools_take(&heap);
  struct page *page = page_of(block);
  char *start = page_start(page);
  size_t bytes = page_run_bytes(page);
  memset(block, 7, POOLS_BYTES);
  assert_int_equal(block == start, is_object);  // nothing is left out of a page of objects
  if (is_forgotten) {
    free_all(&heap);
  } else {
    free_to_page(block);
    collect(&heap);
  }
  assert_int_equal(fixture.pages_out, 0);
  assert_true(is_zero(start, bytes));
}

static void free_memory_reads_as_zero(void **state)
{
  (void)state;
  for (unsigned level = 0; level <= 3; level++) {
    assert_zero_after(level, false, true);
    assert_zero_after(level, true, true);
    assert_zero_after(level, true, false);
    if (level < 2) assert_zero_after(level, false, false);  // else who frees a block wipes it
  }
}

static void wiped_blocks_cost_no_purge(void **state)
{
  (void)state;
  begin(2);
  void *block = pools_take(&heap);
  free_to_page(block);
  size_t purged = os_memory_purged_bytes();
  collect(&heap);
  assert_int_equal(fixture.pages_out, 0);
  assert_int_equal(os_memory_purged_bytes(), purged);
}

static void what_was_never_touched_is_not_given_back(void **state)
{
  (void)state;
  begin(2);
  unsigned size_class = size_class_of(20480);
  struct page *page = page_of(take(&heap, size_class, NULL));
  assert_int_equal(page_bitmap_purge(page), 0);
  free_all(&heap);
  void *block = take(&heap, size_class, NULL);
  page = page_of(block);  // the same, dirty
  assert_true(page_bitmap_purge(page) > 0);
  assert_int_equal(page_bitmap_purge(page), 0);
  free_all(&heap);
}

static void each_page_has_a_secret_of_its_own(void **state)
{
  (void)state;
  enum { PAGES = 20 };
  begin(2);
  take_pages(PAGES);
  for (size_t i = 0; i < PAGES; i++) {
    for (size_t j = 0; j < i; j++) {
      assert_true(policy_of(page_out(i))->secret != policy_of(page_out(j))->secret);
    }
  }
  free_all(&heap);
}

// ---------------------------------------------------------------------------------------------
// Large blocks.

enum { LARGE_BYTES = 100000, LARGE_BLOCKS = 150 };

static char *take_large(size_t alignment)
{
  char *block = large_allocate(&heap, LARGE_BYTES, alignment, NULL);
  CHECK(block != NULL && is_aligned(block, alignment));
  memset(block, 7, LARGE_BYTES);
  return block;
}

static struct page *large_page(char *block)
{
  struct page *page = large_around(page_around(block));
  CHECK(page != NULL && large_block(page) == block);
  return page;
}

static bool is_surrounded(char *block)
{
  struct page *page = large_page(block);
  char *end = block + page->block_bytes;
  char *run_end = page_start(page) + page_run_bytes(page);
  bool is_guarded = end < run_end && !can_read(end);
  for (char *at = page_start(page); at < run_end; at += os_page_bytes()) {
    bool is_inside = at >= block && at < end;
    assert_int_equal(can_read(at), is_inside || !is_guarded);
  }
  return is_guarded;
}

static void sizes_of_guards_are_chosen_at_random(void **state)
{
  (void)state;
  size_t unit = os_page_bytes();
  size_t leads[SLICE_BYTES / 4096] = {0}, tails[17] = {0};
  begin(2);
  for (size_t i = 0; i < 2000; i++) {
    struct policy_guards guards = policy_choose_guards(false, 16);
    assert_true(guards.lead_bytes > 0 && guards.lead_bytes < SLICE_BYTES);
    assert_true(guards.tail_bytes > 0 && guards.tail_bytes <= 16 * unit);
    assert_true(guards.lead_bytes % unit == 0 && guards.tail_bytes % unit == 0);
    leads[guards.lead_bytes / unit]++;
    tails[guards.tail_bytes / unit]++;
    size_t alignment = (size_t)16 << i % 20;
    guards = policy_choose_guards(false, alignment);
    assert_true(guards.lead_bytes % alignment == 0 && guards.lead_bytes < SLICE_BYTES);
    assert_true(guards.lead_bytes > 0 || alignment >= SLICE_BYTES || unit >= SLICE_BYTES);
    assert_true(guards.tail_bytes > 0);
  }
  for (size_t i = 1; i * unit < SLICE_BYTES; i++) assert_true(leads[i] > 0);
  for (size_t i = 1; i <= 16; i++) assert_true(tails[i] > 0);
}

static void objects_and_level_0_have_none(void **state)
{
  (void)state;
  begin(2);
  struct policy_guards guards = policy_choose_guards(true, 16);
  assert_true(guards.lead_bytes == 0 && guards.tail_bytes == 0);
  begin(0);
  guards = policy_choose_guards(false, 16);
  assert_true(guards.lead_bytes == 0 && guards.tail_bytes == 0);
}

static void large_blocks_are_surrounded(void **state)
{
  (void)state;
  static const size_t alignments[] = {16, 4096, 32768, 65536};
  for (size_t i = 0; i < 4 * 4; i++) {
    begin((unsigned)(i % 4));
    char *block = take_large(alignments[i / 4]);
    assert_int_equal(is_surrounded(block), i % 4 >= 1);
    large_free(large_page(block));
    large_let_go();
    assert_int_equal(fixture.pages_out, 0);
    assert_readable();
  }
}

static void theirs_keep_within_the_budget(void **state)
{
  (void)state;
  enum { TAKEN = 8 };
  begin(2);
  options.map_budget = 7;
  for (int round = 0; round < 3; round++) {
    char *blocks[TAKEN];
    size_t surrounded = 0;
    for (size_t i = 0; i < TAKEN; i++) {
      blocks[i] = take_large(16);
      surrounded += is_surrounded(blocks[i]);
      policy_guard_large(large_page(blocks[i]));  // once more, of the same
    }
    assert_int_equal(surrounded, 3);
    for (size_t i = 0; i < TAKEN; i++) large_free(large_page(blocks[i]));
    assert_true(fixture.pages_out <= 3);  // none without a guard waits
    large_let_go();
    assert_int_equal(fixture.pages_out, 0);
    assert_readable();
  }
}

static void freed_ones_fault_and_stay_away_for_long(void **state)
{
  (void)state;
  begin(1);
  for (size_t i = 0; i < LARGE_BLOCKS; i++) {
    char *block = take_large(16);
    struct page *page = large_page(block);
    char *start = page_start(page);
    size_t bytes = page_run_bytes(page);
    large_free(page);
    for (size_t at = 0; at < bytes; at += os_page_bytes()) {
      assert_false(can_read(start + at));
    }
  }
  assert_true(fixture.pages_out > LARGE_BLOCKS / 2);  // about 113 of 256 places
  large_let_go();
  assert_int_equal(fixture.pages_out, 0);
  assert_true(is_zero((char *)region.start, FIXTURE_SLICES * SLICE_BYTES));
}

// What is bound to a NUMA node does not wait: its memory is that node's.
static void bound_ones_go_back_at_once(void **state)
{
  (void)state;
  begin(2);
  char *block = take_large(16);
  struct page *page = large_page(block);
  page->flags |= PAGE_IS_BOUND;
  policy_seal(page);
  large_free(page);
  assert_int_equal(fixture.pages_out, 0);
  assert_readable();
}

static void each_large_block_has_a_secret_of_its_own(void **state)
{
  (void)state;
  begin(2);
  char *one = take_large(16), *other = take_large(16);
  assert_true(policy_of(large_page(one))->secret != policy_of(large_page(other))->secret);
  large_free(large_page(one));
  large_free(large_page(other));
  large_let_go();
}

static void what_cannot_be_closed_is_emptied_and_given_back(void **state)
{
  (void)state;
  begin(1);
  char *block = take_large(16);
  struct page *page = large_page(block);
  // Nothing is made inaccessible any more; and as the guards cannot go either, the run is nobody's.
  kernel.refuses_mappings = true;
  large_free(page);
  kernel.refuses_mappings = false;
  assert_int_equal(fixture.pages_out, 1);
  assert_true(is_zero(block, LARGE_BYTES));
  (void)fixture_set_back(state);
  assert_true(os_guard_remove((char *)region.start, FIXTURE_SLICES * SLICE_BYTES));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(pages_end_in_guards_from_level_1_on),
      FIXTURE_TEST(void_pages_are_guards),
      FIXTURE_TEST(guards_keep_within_the_budget),
      FIXTURE_TEST(a_guard_that_the_kernel_refuses_costs_nothing),
      FIXTURE_TEST(free_memory_reads_as_zero),
      FIXTURE_TEST(wiped_blocks_cost_no_purge),
      FIXTURE_TEST(what_was_never_touched_is_not_given_back),
      FIXTURE_TEST(each_page_has_a_secret_of_its_own),
      FIXTURE_TEST(sizes_of_guards_are_chosen_at_random),
      FIXTURE_TEST(objects_and_level_0_have_none),
      FIXTURE_TEST(large_blocks_are_surrounded),
      FIXTURE_TEST(theirs_keep_within_the_budget),
      FIXTURE_TEST(freed_ones_fault_and_stay_away_for_long),
      FIXTURE_TEST(bound_ones_go_back_at_once),
      FIXTURE_TEST(each_large_block_has_a_secret_of_its_own),
      // These leave guards behind, which count.
      FIXTURE_TEST(a_page_whose_guard_stays_goes_to_nobody),
      FIXTURE_TEST(what_cannot_be_closed_is_emptied_and_given_back),
  };
  if (test_is_in_valgrind()) return test_cannot_run("Valgrind reports what asks about guards");
  os_memory_init(0, false);
  fixture_start();
  os_gate_init();
  policy_init();
  usual_budget = options.map_budget;
  return SUITE_RUN(tests);
}
