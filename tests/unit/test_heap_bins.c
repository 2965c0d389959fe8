// SPDX-License-Identifier: MIT
//
// The bins and shelves of a heap, over a page source of the test's own: what its pages lead to,
// what a thread's heap keeps there, and what goes back to the pages when they are full or
// collected.
#define _GNU_SOURCE 1
#include "heaps.h"

#include <pthread.h>

enum { BLOCKS = 2000, THREADS = 4 };

// ---------------------------------------------------------------------------------------------
// Bins.

static void a_page_tells_the_bin_of_its_class(void **state)
{
  (void)state;
  static struct heap heap, other, direct;
  init_heap(&heap, os_thread_id());
  init_heap(&other, os_thread_id());
  init_heap(&direct, OWNER_SHARED);
  direct.is_direct = true;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    void *block = take(&heap, i, NULL);
    void *shared = take(&direct, i, NULL);
    struct page *page = page_first(page_at(block));
    bool is_list = i < SIZE_CLASS_SMALL_COUNT;
    struct bin *expected = is_list ? heap_bin(&other, i) : &other.bins[0];
    for (uint32_t j = 0; j < page->slices; j++) {
      assert_ptr_equal(heap_bin_of_page(&other, page + j), expected);
    }
    assert_ptr_equal(heap_bin_of_page(&other, page_at(shared)), &other.bins[0]);
    free_block(block);
    free_block(shared);
  }
  collect(&heap);
  collect(&direct);  // and the fixture looks that no page goes back with a bin
}

static void what_overflows_a_bin_goes_back_to_its_pages(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[BLOCKS];
  init_heap(&heap, os_thread_id());
  heap.keeps_unused = false;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i += 7) {
    struct bin *bin = grow_bin(&heap, i);
    for (size_t j = 0; j < BLOCKS; j++) blocks[j] = take(&heap, i, NULL);
    for (size_t j = 0; j < 1000; j++) {
      size_t pages = fixture.pages_out;
      size_t free_blocks = blocks_in_pages() + bin_count(bin);
      bool is_full = counter_get(&bin->room) == 0;
      free_block(blocks[j]);
      assert_ptr_equal(bin->first, blocks[j]);
      if (is_full) assert_int_equal(bin_count(bin), bin->limit / 2 + 1);
      if (fixture.pages_out < pages) continue;  // with all their blocks
      assert_int_equal(blocks_in_pages() + bin_count(bin), free_blocks + 1);
    }
    assert_int_equal(bin->limit, TUNING_BIN_LEAST);
    for (size_t j = 1000; j < BLOCKS; j++) free_block(blocks[j]);
    free_all(&heap);
  }
}

static void a_page_that_an_overflow_empties_goes_unless_it_is_the_last(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[3][TUNING_PAGE_BLOCKS];
  for (unsigned keeps = 0; keeps < 2; keeps++) {
    init_heap(&heap, os_thread_id());
    heap.keeps_unused = keeps != 0;
    struct page *pages[3];
    for (size_t i = 0; i < 3; i++) pages[i] = take_page(&heap, 40, blocks[i]);
    uint32_t capacity = pages[0]->capacity;
    assert_true(capacity > 2 * TUNING_BIN_LEAST);
    shrink_bin(&heap, 40);
    for (size_t i = 0; i < 3; i++) {
      for (uint32_t j = 0; j < capacity; j++) free_block(blocks[i][j]);
    }
    assert_int_equal(page_kind(pages[0]), keeps != 0 ? PAGE_LIST : PAGE_NONE);
    assert_int_equal(page_kind(pages[1]), PAGE_NONE);
    assert_int_equal(page_kind(pages[2]), PAGE_LIST);
    assert_valid(&heap);
    assert_int_equal(atomic_load(&heap.may_hold_unused), keeps);
    fixture.takes_left = 0;  // what is there is enough for as many as were kept
    for (uint32_t j = 0; j < (1 + keeps) * capacity; j++) {
      blocks[0][0] = take(&heap, 40, NULL);
      assert_non_null(blocks[0][0]);
    }
    fixture.takes_left = SIZE_MAX;
    free_all(&heap);
  }
}

static void a_full_page_is_queued_when_a_64th_of_it_has_come_back(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[TUNING_PAGE_BLOCKS];
  static const unsigned classes[] = {0, 5, 20, 40};
  for (size_t i = 0; i < 4; i++) {
    init_heap(&heap, os_thread_id());
    struct page *page = take_page(&heap, classes[i], blocks);
    uint32_t share = page->capacity / TUNING_WAKE_SHARE;
    assert_false(heap_may_have(&heap, classes[i]));
    shrink_bin(&heap, classes[i]);
    for (uint32_t j = 0; j < page->capacity; j++) {
      free_block(blocks[j]);
      uint32_t back = page->carved - page_used(page);
      bool is_queued = back > 0 && back >= share;
      assert_int_equal(heap_may_have(&heap, classes[i]), is_queued);
      assert_int_equal(list_contains_node(&page->link), is_queued);
    }
    assert_true(heap_may_have(&heap, classes[i]));
    collect(&heap);
    assert_int_equal(fixture.pages_out, 0);
  }
}

static void collecting_empties_the_bins_if_it_is_told_to(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) free_block(take(&heap, i, NULL));
  heap_enter(&heap);
  (void)heap_collect(&heap, false, true);
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) assert_non_null(heap_bin(&heap, i)->first);
  assert_int_equal(fixture.pages_out, SIZE_CLASS_SMALL_COUNT);
  (void)heap_collect(&heap, true, false);
  assert_int_equal(fixture.pages_out, 0);
  heap_leave(&heap);
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) {
    struct bin *bin = heap_bin(&heap, i);
    assert_null(bin->first);
    assert_int_equal(counter_get(&bin->room), 0);
    void *block = take(&heap, i, NULL);
    free_block(block);
    assert_ptr_equal(bin->first, block);
  }
  collect(&heap);
}

// A signal handler that frees while its thread is inside: what it frees must wait in the bin.
static void a_free_inside_the_heap_waits_for_nothing(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[BLOCKS];
  init_heap(&heap, os_thread_id());
  for (size_t i = 0; i < 1000; i++) blocks[i] = take(&heap, 10, NULL);
  void *medium[2 * TUNING_SHELF_BLOCKS];
  for (size_t i = 0; i < 2 * TUNING_SHELF_BLOCKS; i++) medium[i] = take(&heap, 60, NULL);
  collect(&heap);
  size_t before = blocks_in_pages();
  heap_enter(&heap);
  for (size_t i = 0; i < 999; i++) free_block(blocks[i]);
  for (size_t i = 0; i < 2 * TUNING_SHELF_BLOCKS; i++) free_block(medium[i]);
  assert_int_equal(bin_count(heap_bin(&heap, 10)), 999);
  assert_int_equal(blocks_in_pages(), before);
  heap_leave(&heap);
  counter_set(&heap_bin(&heap, 10)->room, 0);
  free_block(blocks[999]);
  assert_true(bin_count(heap_bin(&heap, 10)) <= heap_bin(&heap, 10)->limit);
  collect(&heap);
  assert_int_equal(fixture.pages_out, 0);
}

static struct heap *interrupted_heap;
static void *freed_meanwhile;

// A source below which a signal handler runs.
static struct page *take_interrupted(const struct page_source *source, uint32_t slices,
                                     uint32_t alignment, struct page_request request, bool *is_zero)
{
  free_into(interrupted_heap, freed_meanwhile);
  return fixture_take(source, slices, alignment, request, is_zero);
}

static void a_free_while_the_bin_is_being_filled_is_not_lost(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[TUNING_PAGE_BLOCKS];
  init_heap(&heap, os_thread_id());
  struct page *page = take_page(&heap, 40, blocks);
  interrupted_heap = &heap;
  freed_meanwhile = blocks[0];
  fixture.source.take = take_interrupted;
  void *block = take(&heap, 40, NULL);
  fixture.source.take = fixture_take;
  assert_ptr_not_equal(page_at(block), page);
  for (uint32_t i = 1; i < page->capacity; i++) free_block(blocks[i]);
  free_block(block);
  collect(&heap);
  assert_int_equal(fixture.pages_out, 0);
}

static void refilling_doubles_a_bins_limit_up_to_the_most(void **state)
{
  (void)state;
  static struct heap heap;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) {
    init_heap(&heap, os_thread_id());
    struct bin *bin = heap_bin(&heap, i);
    uint32_t expected = TUNING_BIN_LEAST;
    assert_int_equal(bin->limit, 0);
    for (size_t round = 0; round < 12; round++) {
      assert_non_null(heap_take(&heap, i, NULL));
      assert_int_equal(bin->limit, expected);
      assert_int_equal(counter_get(&bin->room), expected);
      size_t count = bin_count(bin);
      while (bin_take(heap_bin(&heap, i)) != NULL) {
      }
      assert_int_equal(counter_get(&bin->room), expected + count);
      expected = 2 * expected < most_of_class(i) ? 2 * expected : most_of_class(i);
    }
    assert_int_equal(bin->limit, most_of_class(i));
    free_all(&heap);
  }
}

static void what_no_bin_takes_is_refused_however_often(void **state)
{
  (void)state;
  static struct heap heap, direct;
  init_heap(&heap, os_thread_id());
  init_heap(&direct, OWNER_SHARED);
  direct.is_direct = true;
  void *blocks[] = {take(&heap, 60, NULL), take(&heap, SIZE_CLASS_COUNT - 1, NULL),
                    take(&direct, 10, NULL), take(&direct, 60, NULL)};
  for (size_t i = 0; i < 100000; i++) {
    void *block = blocks[i % 4];
    assert_false(heap_free(&heap, page_at(block), block));
    if (i % 8 > 4) heap_refused(&heap, page_at(block));
  }
  heap_refused(&heap, page_at(blocks[0]));
  assert_int_equal(counter_get(&heap.bins[0].room), 0);
  assert_null(heap.bins[0].first);
  for (size_t i = 0; i < 4; i++) free_into(&heap, blocks[i]);
  collect(&heap);
  collect(&direct);
}

static void *try_heap_empty(void *argument)
{
  struct page *page = argument;
  char *block = page_start(page);
  for (size_t i = 0; i < test_scaled(100000); i++) {
    CHECK(bin_take(heap_bin(&heap_empty, (unsigned)i % SIZE_CLASS_SMALL_COUNT)) == NULL);
    CHECK(!heap_free(&heap_empty, page, block));
    heap_refused(&heap_empty, page);
  }
  return NULL;
}

static void the_empty_heap_takes_nothing_from_any_thread(void **state)
{
  (void)state;
  static struct heap heap;
  pthread_t threads[THREADS];
  init_heap(&heap, os_thread_id());
  // Two threads try each bin.
  void *blocks[] = {take(&heap, 3, NULL), take(&heap, 60, NULL)};
  for (size_t i = 0; i < THREADS; i++) {
    void *page = page_at(blocks[i % 2]);
    assert_int_equal(pthread_create(&threads[i], NULL, try_heap_empty, page), 0);
  }
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (size_t i = 0; i <= SIZE_CLASS_SMALL_COUNT; i++) {
    assert_null(heap_empty.bins[i].first);
    assert_true(counter_get(&heap_empty.bins[i].room) <= 0);
  }
  for (size_t i = 0; i < 2; i++) free_block(blocks[i]);
  collect(&heap);
}

// ---------------------------------------------------------------------------------------------
// Shelves.

static struct shelf *shelf_for(struct heap *heap, unsigned size_class)
{
  return &heap->shelves[size_class - SIZE_CLASS_SMALL_COUNT];
}

static bool is_out(void *block)
{
  struct page *page = page_of(block);
  return page_bitmap_is_live(page, page_block_index(page, block));
}

// For all that a thread knows whose heap this is.
static bool is_live(struct heap *heap, void *block)
{
  struct page *page = page_of(block);
  return heap_is_live(heap, page, block, page_block_index(page, block));
}

static void a_medium_block_waits_on_its_shelf_and_is_the_next(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  for (unsigned i = SIZE_CLASS_SMALL_COUNT; i < SIZE_CLASS_COUNT; i++) {
    assert_null(heap_take_medium(&heap, i));
    void *one = take(&heap, i, NULL);
    void *two = take(&heap, i, NULL);
    free_block(one);
    assert_true(is_out(one));  // the page does not know yet
    assert_true(is_live(NULL, one) && !is_live(&heap, one) && is_live(&heap, two));
    assert_int_equal(shelf_for(&heap, i)->count, 1);
    assert_ptr_equal(heap_take_medium(&heap, i), one);
    assert_true(is_live(&heap, one));
    free_block(one);
    free_block(two);
    if (is_live(NULL, one)) assert_int_equal(shelf_for(&heap, i)->count, 2);
    assert_ptr_equal(heap_take_medium(&heap, i), two);
    free_block(two);
  }
  collect(&heap);
  assert_int_equal(fixture.pages_out, 0);
}

static void what_overflows_a_shelf_goes_back_to_its_page(void **state)
{
  enum { COUNT = 100 };
  (void)state;
  static struct heap heap;
  static void *blocks[COUNT];
  init_heap(&heap, os_thread_id());
  for (unsigned i = SIZE_CLASS_SMALL_COUNT; i < SIZE_CLASS_COUNT; i += 3) {
    struct shelf *shelf = shelf_for(&heap, i);
    size_t most = TUNING_SHELF_BYTES / size_class_bytes(i);
    if (most > TUNING_SHELF_BLOCKS) most = TUNING_SHELF_BLOCKS;
    for (size_t j = 0; j < COUNT; j++) blocks[j] = take(&heap, i, NULL);
    assert_int_equal(shelf->limit, most > 1 ? most : 1);  // of that many misses
    for (size_t j = 0; j < COUNT; j += 2) {               // no page comes free
      free_block(blocks[j]);
      assert_true(shelf_holds(shelf, blocks[j]));
      for (size_t k = 0; k <= j; k += 2) {
        assert_int_equal(is_out(blocks[k]), shelf_holds(shelf, blocks[k]));
        assert_false(is_live(&heap, blocks[k]));
      }
    }
    assert_int_equal(shelf->limit, 1);
    for (size_t j = 1; j < COUNT; j += 2) free_block(blocks[j]);
    collect(&heap);
    assert_int_equal(fixture.pages_out, 0);
  }
}

static void collecting_empties_the_shelves_if_it_is_told_to(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  for (unsigned i = SIZE_CLASS_SMALL_COUNT; i < SIZE_CLASS_COUNT; i++) {
    free_block(take(&heap, i, NULL));
  }
  heap_enter(&heap);
  (void)heap_collect(&heap, false, true);
  assert_int_equal(fixture.pages_out, SIZE_CLASS_MEDIUM_COUNT);
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) assert_int_equal(heap.shelves[i].count, 1);
  (void)heap_collect(&heap, true, false);
  assert_int_equal(fixture.pages_out, 0);
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) assert_int_equal(heap.shelves[i].count, 0);
  heap_leave(&heap);
}

static void only_a_threads_own_blocks_go_onto_its_shelves(void **state)
{
  (void)state;
  static struct heap own, shared, anothers;
  init_heap(&own, os_thread_id());
  init_heap(&shared, OWNER_SHARED);
  init_heap(&anothers, SOMEBODY);
  struct heap *heaps[] = {&own, &shared, &anothers};
  for (unsigned i = SIZE_CLASS_SMALL_COUNT; i < SIZE_CLASS_COUNT; i += 5) {
    for (size_t j = 0; j < 6; j++) {
      struct heap *from = heaps[j % 3];
      bool is_without_heap = j < 3;
      void *block = take(from, i, NULL);
      void *neighbour = take(from, i, NULL);  // keeps the page
      free_into(is_without_heap ? &shared : &own, block);
      assert_int_equal(is_out(block), from == &own && !is_without_heap);
      free_into(&shared, neighbour);
    }
    assert_int_equal(shelf_for(&own, i)->count, 1);
    assert_int_equal(shelf_for(&shared, i)->count, 0);
    assert_int_equal(shelf_for(&anothers, i)->count, 0);
  }
  collect(&own);
  collect(&shared);
  collect(&anothers);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(a_page_tells_the_bin_of_its_class),
      FIXTURE_TEST(what_overflows_a_bin_goes_back_to_its_pages),
      FIXTURE_TEST(a_page_that_an_overflow_empties_goes_unless_it_is_the_last),
      FIXTURE_TEST(a_full_page_is_queued_when_a_64th_of_it_has_come_back),
      FIXTURE_TEST(collecting_empties_the_bins_if_it_is_told_to),
      FIXTURE_TEST(a_free_inside_the_heap_waits_for_nothing),
      FIXTURE_TEST(a_free_while_the_bin_is_being_filled_is_not_lost),
      FIXTURE_TEST(refilling_doubles_a_bins_limit_up_to_the_most),
      FIXTURE_TEST(what_no_bin_takes_is_refused_however_often),
      FIXTURE_TEST(the_empty_heap_takes_nothing_from_any_thread),
      FIXTURE_TEST(a_medium_block_waits_on_its_shelf_and_is_the_next),
      FIXTURE_TEST(what_overflows_a_shelf_goes_back_to_its_page),
      FIXTURE_TEST(collecting_empties_the_shelves_if_it_is_told_to),
      FIXTURE_TEST(only_a_threads_own_blocks_go_onto_its_shelves),
  };
  fixture_start();
  os_gate_init();
  return SUITE_RUN(tests);
}
