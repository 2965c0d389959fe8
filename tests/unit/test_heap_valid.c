// SPDX-License-Identifier: MIT
//
// What heap_assert_valid looks at: each thing that must not be, made on purpose, ends the process.
// (That heaps in use are valid all tests of heaps show.)
#define _GNU_SOURCE 1
#include "child.h"
#include "heaps.h"

#include "core/large.h"

enum { SMALL = 10, MEDIUM = 60 };

static struct heap heap;
static struct page *page;  // of a small class, queued

static void start(uintptr_t owner)
{
  init_heap(&heap, owner);
  page = page_of(take(&heap, SMALL, NULL));
  free_block(take(&heap, SMALL, NULL));
  collect(&heap);
  CHECK(list_contains_node(&page->link));
  heap_assert_valid(&heap);
}

static void break_page(void)
{
  start(os_thread_id());
  atomic_store(&page->heap, NULL);
  heap_assert_valid(&heap);
}

static void break_first_bin(void)
{
  static struct block block;
  start(os_thread_id());
  heap.bins[0].first = &block;
  heap_assert_valid(&heap);
}

static void break_first_bins_room(void)
{
  start(os_thread_id());
  counter_set(&heap.bins[0].room, 1);
  heap_assert_valid(&heap);
}

static void break_shelf(void)
{
  start(os_thread_id());
  heap.shelves[3].count = TUNING_SHELF_BLOCKS + 1;
  heap_assert_valid(&heap);
}

static void break_shelf_of_shared_heap(void)
{
  start(OWNER_SHARED);
  heap.shelves[3].count = 1;
  heap_assert_valid(&heap);
}

static void break_mark_of_queue(void)
{
  start(os_thread_id());
  atomic_store(&heap.queued[0], 0);
  heap_assert_valid(&heap);
}

static void break_mark_of_empty_queue(void)
{
  start(os_thread_id());
  atomic_fetch_or(&heap.queued[0], UINT64_C(1) << (SMALL + 1));
  heap_assert_valid(&heap);
}

static void break_class_of_queue(void)
{
  start(os_thread_id());
  page->size_class = SMALL + 1;
  heap_assert_valid(&heap);
}

static void break_queue_by_anothers_page(void)
{
  static struct heap other;
  start(os_thread_id());
  init_heap(&other, os_thread_id());
  struct page *theirs = page_of(take(&other, SMALL, NULL));
  if (list_contains_node(&theirs->link)) list_remove(&theirs->link);
  list_push_back(&heap.queue[SMALL], &theirs->link);
  heap_assert_valid(&heap);
}

static void break_queue_by_closed_page(void)
{
  start(os_thread_id());
  page = page_of(take(&heap, MEDIUM, NULL));
  page_bitmap_close(page);  // without the heap's knowing
  heap_assert_valid(&heap);
}

// A page that takes itself for queued.
static void break_link(void)
{
  start(os_thread_id());
  list_remove(&page->link);
  atomic_store(&heap.queued[0], 0);
  list_init(&page->link);
  heap_assert_valid(&heap);
}

static struct page *take_large(void)
{
  start(OWNER_SHARED);
  struct page *large = large_take(&heap, 200000, 16, NULL);
  CHECK(large != NULL);
  large_attach(large, &heap);
  heap_assert_valid(&heap);
  return large;
}

static void break_kind_of_large(void)
{
  page_set_kind(take_large(), PAGE_BITMAP);
  heap_assert_valid(&heap);
}

static void break_heap_of_large(void)
{
  atomic_store(&take_large()->heap, NULL);
  heap_assert_valid(&heap);
}

static void a_broken_heap_ends_the_process(void **state)
{
  static void (*const breaks[])(void) = {break_page,
                                         break_first_bin,
                                         break_first_bins_room,
                                         break_shelf,
                                         break_shelf_of_shared_heap,
                                         break_mark_of_queue,
                                         break_mark_of_empty_queue,
                                         break_class_of_queue,
                                         break_queue_by_anothers_page,
                                         break_queue_by_closed_page,
                                         break_link,
                                         break_kind_of_large,
                                         break_heap_of_large};
  (void)state;
  for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
    child_check_abort(breaks[i], "mend: internal error: ");
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {FIXTURE_TEST(a_broken_heap_ends_the_process)};
  fixture_start();
  os_gate_init();
  return SUITE_RUN(tests);
}
