// SPDX-License-Identifier: MIT
//
// Which pages a heap takes blocks from, which it closes, and when it returns what lies free in them
// because another size grows.
#define _GNU_SOURCE 1
#include "child.h"
#include "heaps.h"

#include "base/options.h"
#include "core/chunk.h"

enum { SMALL = 40, LARGEST = SIZE_CLASS_COUNT - 1, MANY = TUNING_PAGE_BLOCKS };

// A heap of objects: all of its pages are bitmap pages.
static void init_objects(struct heap *heap)
{
  init_heap(heap, OWNER_SHARED);
  heap->has_objects = true;
}

static uint32_t take_many(struct heap *heap, unsigned size_class, void **blocks, uint32_t count)
{
  heap_enter(heap);
  uint32_t taken = heap_take_many(heap, size_class, blocks, count);
  heap_assert_valid(heap);
  heap_leave(heap);
  return taken;
}

static void no_page_is_added_while_many_blocks_are_taken(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[MANY], *more[MANY];
  init_objects(&heap);
  struct page *page = take_page(&heap, SMALL, blocks);
  for (uint32_t i = 0; i < 3; i++) free_to_page(blocks[i]);
  assert_int_equal(take_many(&heap, SMALL, more, page->capacity), 3);
  for (uint32_t i = 0; i < 3; i++) assert_ptr_equal(page_of(more[i]), page);
  assert_int_equal(fixture.pages_out, 1);
  // Where nothing is queued there is one new page, and what it has.
  assert_int_equal(take_many(&heap, SMALL, more, page->capacity + 1U), page->capacity);
  assert_int_equal(fixture.pages_out, 2);
  assert_int_equal(take_many(&heap, SMALL, blocks, 2), 2);
  assert_int_equal(fixture.pages_out, 3);
  fixture.takes_left = 0;
  uint32_t rest = page->capacity - 2U;
  assert_int_equal(take_many(&heap, SMALL, more, MANY), rest);
  assert_int_equal(take_many(&heap, SMALL, more, MANY), 0);
  free_all(&heap);
}

static void close_page(struct heap *heap, struct page *page, struct list *closed)
{
  heap_enter(heap);
  heap_close_page(heap, page);
  list_push_back(closed, &page->link);
  heap_assert_valid(heap);
  heap_leave(heap);
}

static void open_page(struct heap *heap, struct page *page)
{
  heap_enter(heap);
  list_remove(&page->link);
  heap_open_page(heap, page);
  heap_assert_valid(heap);
  heap_leave(heap);
}

// Closed pages, one of them with a block in use: what a heap does goes past them.
static void check_closed(struct heap *heap, struct page **pages, const struct list *closed)
{
  assert_false(heap_may_have(heap, SMALL));
  assert_true(closed->next == &pages[0]->link && closed->prev == &pages[1]->link);
  void *block = take(heap, SMALL, NULL);
  assert_ptr_not_equal(page_of(block), pages[0]);
  assert_ptr_not_equal(page_of(block), pages[1]);
  free_to_page(block);
  for (int purges = 0; purges < 2; purges++) {
    heap_enter(heap);
    (void)heap_collect(heap, true, purges != 0);
    heap_assert_valid(heap);
    heap_leave(heap);
    assert_int_equal(fixture.pages_out, 2);  // these, but no other
  }
  assert_true(closed->next == &pages[0]->link && closed->prev == &pages[1]->link);
  fixture.takes_left = 0;
  assert_null(take(heap, SMALL, NULL));
  fixture.takes_left = SIZE_MAX;
}

static void a_closed_page_stays_and_gives_nothing_until_it_is_opened(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[2][MANY];
  struct page *pages[2];
  struct list closed;
  for (int keeps = 0; keeps < 2; keeps++) {
    init_objects(&heap);
    heap.keeps_unused = keeps != 0;
    list_init(&closed);
    for (size_t i = 0; i < 2; i++) pages[i] = take_page(&heap, SMALL, blocks[i]);
    free_to_page(blocks[0][0]);
    collect(&heap);
    assert_true(heap_may_have(&heap, SMALL));
    for (size_t i = 0; i < 2; i++) close_page(&heap, pages[i], &closed);
    for (size_t i = 0; i < 2; i++) {
      for (uint32_t j = 1; j < pages[i]->capacity; j++) free_to_page(blocks[i][j]);
    }
    check_closed(&heap, pages, &closed);
    open_page(&heap, pages[1]);  // one block of it is in use: it is queued
    fixture.takes_left = 0;
    void *block = take(&heap, SMALL, NULL);
    fixture.takes_left = SIZE_MAX;
    assert_ptr_equal(page_of(block), pages[1]);
    open_page(&heap, pages[0]);  // none is, and it is not the last of its class: it goes
    assert_int_equal(fixture.pages_out, 1);
    close_page(&heap, pages[1], &closed);
    free_to_page(block);
    free_to_page(blocks[1][0]);
    assert_int_equal(fixture.pages_out, 1);
    open_page(&heap, pages[1]);  // it goes unless one is kept
    assert_int_equal(fixture.pages_out, keeps);
    assert_int_equal(heap_may_have(&heap, SMALL), keeps);
    free_all(&heap);
  }
}

// Five full pages get this many blocks back, one after the other. The fullest of the first four
// serves first, then what is the fullest of four.
static void blocks_come_from_the_fullest_of_the_pages_queued_longest(void **state)
{
  enum { PAGES = 5 };
  (void)state;
  static struct heap heap;
  static void *blocks[PAGES][MANY];
  static const uint32_t back[PAGES] = {4, 3, 2, 3, 1};
  static const size_t order[PAGES] = {2, 4, 1, 3, 0};
  struct page *pages[PAGES];
  init_heap(&heap, os_thread_id());
  for (size_t i = 0; i < PAGES; i++) pages[i] = take_page(&heap, SMALL, blocks[i]);
  for (size_t i = 0; i < PAGES; i++) {
    for (uint32_t j = 0; j < back[i]; j++) free_block(blocks[i][j]);
    collect(&heap);
  }
  fixture.takes_left = 0;
  for (size_t i = 0; i < PAGES; i++) {
    for (uint32_t j = 0; j < back[order[i]]; j++) {
      assert_ptr_equal(page_of(take(&heap, SMALL, NULL)), pages[order[i]]);
    }
  }
  assert_null(take(&heap, SMALL, NULL));
  free_all(&heap);
}

// In the library's region: how much of it is in use is what tells growth.
static void check_purge_for_growth(void)
{
  static struct heap heap;
  void *blocks[MANY];
  bool is_zero_run;
  struct page_request any = {PAGE_ANY_NODE, 0};
  options.region = 64 * MIB;
  CHECK(chunk_init());
  init_heap(&heap, OWNER_SHARED);
  heap.source = &chunk_source;
  struct page *page = take_page(&heap, LARGEST, blocks);
  size_t bytes = page->block_bytes;
  memset(blocks[0], 1, bytes);
  memset(blocks[1], 1, bytes);
  free_to_page(blocks[0]);
  CHECK(take(&heap, LARGEST - 1, NULL) != NULL);  // a new page, but no growth to speak of
  CHECK(page_bitmap_purged_bytes(page) == 0);
  uint32_t slices = TUNING_GROWTH_LEAST >> SLICE_SHIFT;
  CHECK(chunk_source.take(&chunk_source, slices, 1, any, &is_zero_run) != NULL);
  CHECK(take(&heap, LARGEST - 2, NULL) != NULL);
  CHECK(page_bitmap_purged_bytes(page) == bytes && is_zero(blocks[0], bytes));
  // What is free after that stays until there is as much growth again.
  CHECK(take(&heap, LARGEST, NULL) == blocks[0]);
  free_to_page(blocks[0]);
  CHECK(take(&heap, LARGEST - 3, NULL) != NULL);
  CHECK(page_bitmap_purged_bytes(page) == 0);
  heap_assert_valid(&heap);
}

static void what_is_free_in_pages_is_returned_when_the_process_grows(void **state)
{
  (void)state;
  child_check(check_purge_for_growth);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(no_page_is_added_while_many_blocks_are_taken),
      FIXTURE_TEST(a_closed_page_stays_and_gives_nothing_until_it_is_opened),
      FIXTURE_TEST(blocks_come_from_the_fullest_of_the_pages_queued_longest),
      FIXTURE_TEST(what_is_free_in_pages_is_returned_when_the_process_grows),
  };
  fixture_start();
  os_gate_init();
  return SUITE_RUN(tests);
}
