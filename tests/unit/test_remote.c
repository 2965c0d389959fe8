// SPDX-License-Identifier: MIT
//
// Frees by other threads: gathered, spliced, posted, and given back in an idle owner's place. One
// thread plays all the parts where it can: a heap whose owner word is another id is somebody
// else's.
#define _GNU_SOURCE 1
#include "child.h"
#include "fixture.h"

#include <pthread.h>
#include <sched.h>

#include "core/heap.h"
#include "core/policy.h"
#include "touch.h"

#define SOMEBODY ((uintptr_t)8)  // a thread's id, but no thread's

static struct heap owner_heap;  // whose blocks they are
static struct heap mine;        // the freeing thread's

static void init_heaps(uintptr_t owner)
{
  owner_heap = (struct heap){.next = NULL};
  mine = (struct heap){.next = NULL};
  heap_init(&owner_heap, owner, &fixture.source);
  heap_init(&mine, os_thread_id(), &fixture.source);
}

static void collect(struct heap *heap, bool lists)
{
  heap_enter(heap);
  (void)heap_collect(heap, lists, false);
  heap_leave(heap);
}

// Takes blocks until `count` pages of the class are out. Returns how many blocks that are.
static size_t take_pages(void **blocks, unsigned size_class, size_t count)
{
  size_t taken = 0;
  while (fixture.pages_out < count) blocks[taken++] = heap_take(&owner_heap, size_class, NULL);
  return taken;
}

// Fills one list page: all of its blocks, whether in `blocks` or in the heap's list.
static struct page *take_full_page(void **blocks, unsigned size_class, size_t *count)
{
  void *block = heap_take(&owner_heap, size_class, NULL);
  CHECK(block != NULL);
  struct page *page = page_at(block);
  blocks[0] = block;
  *count = 1;
  while (*count < page->capacity) {
    blocks[*count] = heap_take(&owner_heap, size_class, NULL);
    CHECK(page_at(blocks[(*count)++]) == page);
  }
  return page;
}

static void a_block_freed_without_a_heap_is_in_its_page_at_once(void **state)
{
  (void)state;
  static void *blocks[TUNING_PAGE_BLOCKS];
  size_t count;
  init_heaps(SOMEBODY);
  struct page *page = take_full_page(blocks, 40, &count);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(remote_count(page), i);
    remote_free(NULL, page, blocks[i]);
    if (i + 1 < count) assert_ptr_equal(remote_peek(page), blocks[i]);
  }
  collect(&owner_heap, true);
}

static void blocks_are_gathered_until_they_are_flushed(void **state)
{
  (void)state;
  static void *blocks[TUNING_PAGE_BLOCKS];
  size_t count;
  init_heaps(SOMEBODY);
  struct page *page = take_full_page(blocks, 0, &count);
  size_t gathered = count / 2;
  for (size_t i = 0; i < gathered; i++) remote_free(&mine, page, blocks[i]);
  if (gathered * 16 <= TUNING_OUTGOING_BYTES) assert_int_equal(remote_count(page), 0);
  remote_flush(&mine);
  assert_int_equal(remote_count(page), gathered);
  assert_int_equal(mine.outgoing.bytes, 0);
  struct block_chain chain = remote_take(page);
  assert_int_equal(chain.count, gathered);
  size_t length = 0;
  for (struct block *at = chain.first; at != NULL; at = policy_next(at)) length++;
  assert_int_equal(length, gathered);
  assert_int_equal(remote_count(page), 0);
  assert_null(remote_take(page).first);
  heap_enter(&owner_heap);
  heap_free_all(&owner_heap);
  heap_leave(&owner_heap);
}

static void no_more_is_held_back_than_so_many_bytes(void **state)
{
  (void)state;
  static void *blocks[4 * TUNING_PAGE_BLOCKS];
  init_heaps(SOMEBODY);
  size_t count = take_pages(blocks, 30, 4);
  size_t freed = 0;
  for (size_t i = 0; i < count; i++) {
    remote_free(&mine, page_at(blocks[i]), blocks[i]);
    freed += size_class_bytes(30);
    size_t arrived = 0;
    for (size_t j = 0; j < FIXTURE_SLICES; j++) {
      if (page_kind(&fixture.pages[j]) != PAGE_LIST) continue;
      arrived += remote_count(&fixture.pages[j]) * size_class_bytes(30);
    }
    if (fixture.pages_out < 4) break;  // some were given back already
    assert_true(freed - arrived <= TUNING_OUTGOING_BYTES);
  }
  remote_flush(&mine);
  heap_enter(&owner_heap);
  heap_free_all(&owner_heap);
  heap_leave(&owner_heap);
}

static void pages_that_share_a_slot_push_each_other_out(void **state)
{
  (void)state;
  static void *blocks[100];
  struct page *pages[TUNING_OUTGOING_SLOTS + 1];
  init_heaps(SOMEBODY);
  // One page of each of several classes; every page is one slice, so their numbers follow.
  for (unsigned i = 0; i <= TUNING_OUTGOING_SLOTS; i++) {
    blocks[i] = heap_take(&owner_heap, i, NULL);
    pages[i] = page_at(blocks[i]);
    if (i > 0) assert_ptr_equal(pages[i], pages[i - 1] + 1);
  }
  remote_free(&mine, pages[0], blocks[0]);
  assert_int_equal(remote_count(pages[0]), 0);
  remote_free(&mine, pages[TUNING_OUTGOING_SLOTS], blocks[TUNING_OUTGOING_SLOTS]);
  assert_int_equal(remote_count(pages[0]), 1);
  assert_int_equal(remote_count(pages[TUNING_OUTGOING_SLOTS]), 0);
  remote_flush(&mine);
  assert_int_equal(remote_count(pages[TUNING_OUTGOING_SLOTS]), 1);
  heap_enter(&owner_heap);
  heap_free_all(&owner_heap);
  heap_leave(&owner_heap);
}

static void frees_into_pages_that_may_go_away_are_not_gathered(void **state)
{
  (void)state;
  init_heaps(OWNER_SHARED);
  owner_heap.is_direct = true;
  void *one = heap_take(&owner_heap, 5, NULL);
  void *two = heap_take(&owner_heap, 5, NULL);
  remote_free(&mine, page_at(one), one);
  assert_int_equal(remote_count(page_at(one)), 1);
  remote_free(&mine, page_at(two), two);
  collect(&owner_heap, true);
}

static void a_full_page_is_posted_by_the_first_free_and_used_again(void **state)
{
  (void)state;
  static void *blocks[TUNING_PAGE_BLOCKS];
  size_t count;
  const unsigned classes[] = {44, 70};
  for (size_t i = 0; i < 2; i++) {
    init_heaps(os_thread_id());
    struct page *page = NULL;
    if (classes[i] < SIZE_CLASS_SMALL_COUNT) {
      page = take_full_page(blocks, classes[i], &count);
    } else {
      blocks[0] = heap_take(&owner_heap, classes[i], NULL);
      page = page_first(page_at(blocks[0]));
      for (count = 1; count < page->capacity; count++) {
        blocks[count] = heap_take(&owner_heap, classes[i], NULL);
      }
    }
    assert_int_equal(page->notice, NOTICE_AWAITED);
    assert_null(atomic_load(&owner_heap.inbox));
    if (classes[i] < SIZE_CLASS_SMALL_COUNT) {
      remote_free(NULL, page, blocks[1]);
    } else {
      remote_free_bitmap(page, blocks[1], 1);
    }
    assert_int_equal(page->notice, NOTICE_POSTED);
    assert_ptr_equal(atomic_load(&owner_heap.inbox), page);
    fixture.takes_left = 0;
    assert_ptr_equal(heap_take(&owner_heap, classes[i], NULL), blocks[1]);
    fixture.takes_left = SIZE_MAX;
    heap_enter(&owner_heap);
    heap_assert_valid(&owner_heap);
    heap_free_all(&owner_heap);
    heap_leave(&owner_heap);
  }
}

static void unused_pages_of_an_idle_owner_are_given_back_by_others(void **state)
{
  enum { PAGES = TUNING_POSTS_BEFORE_RECLAIM + 4 };
  (void)state;
  static void *blocks[PAGES * TUNING_PAGE_BLOCKS];
  init_heaps(SOMEBODY);
  size_t count = take_pages(blocks, 46, PAGES);
  collect(&owner_heap, true);  // the owner keeps no block in its lists
  for (size_t i = 0; i < count; i++) remote_free(&mine, page_at(blocks[i]), blocks[i]);
  remote_flush(&mine);
  assert_true(fixture.pages_out < TUNING_POSTS_BEFORE_RECLAIM);
  collect(&owner_heap, true);
  assert_int_equal(fixture.pages_out, 0);
}

static void unused_pages_of_a_shared_heap_are_given_back_at_once(void **state)
{
  (void)state;
  static void *blocks[100];
  init_heaps(OWNER_SHARED);
  owner_heap.keeps_unused = false;
  for (size_t i = 0; i < 100; i++) blocks[i] = heap_take(&owner_heap, 72, NULL);
  for (size_t i = 0; i < 100; i++) {
    struct page *page = page_first(page_at(blocks[i]));
    remote_free_bitmap(page, blocks[i], page_block_index(page, blocks[i]));
  }
  assert_int_equal(fixture.pages_out, 0);
}

static void a_page_that_changed_hands_is_sent_on(void **state)
{
  (void)state;
  static struct heap other;
  static void *blocks[TUNING_PAGE_BLOCKS];
  size_t count;
  init_heaps(os_thread_id());
  other = (struct heap){.next = NULL};
  heap_init(&other, OWNER_SHARED, &fixture.source);
  other.keeps_unused = false;
  struct page *page = take_full_page(blocks, 45, &count);
  remote_free(NULL, page, blocks[0]);  // posted to owner_heap
  heap_enter(&owner_heap);
  heap_enter(&other);
  heap_give_pages(&owner_heap, &other);
  heap_leave(&other);
  assert_ptr_equal(atomic_load(&owner_heap.inbox), page);
  for (size_t i = 1; i < count; i++) remote_free(NULL, page, blocks[i]);
  assert_int_equal(fixture.pages_out, 1);  // it hangs in an inbox: nobody may give it back
  remote_read_inbox(&owner_heap);
  heap_leave(&owner_heap);
  assert_null(atomic_load(&owner_heap.inbox));
  collect(&other, true);
  assert_int_equal(fixture.pages_out, 0);
}

static void free_twice(void)
{
  init_heaps(os_thread_id());
  void *block = heap_take(&owner_heap, 60, NULL);
  (void)heap_take(&owner_heap, 60, NULL);
  struct page *page = page_first(page_at(block));
  remote_free_bitmap(page, block, page_block_index(page, block));
  remote_free_bitmap(page, block, page_block_index(page, block));
}

static void a_second_free_of_a_bitmap_block_ends_the_process(void **state)
{
  (void)state;
  child_check_abort(free_twice, "mend: double free: 0x");
}

// ---------------------------------------------------------------------------------------------
// Several threads free what one allocates.

enum { THREADS = 3, WINDOW = 64 };

static _Atomic(void *) window[WINDOW];
static _Atomic(bool) is_over;

static _Thread_local struct heap threads_own;

static void *free_from_window(void *unused)
{
  heap_init(&threads_own, os_thread_id(), &fixture.source);
  for (size_t i = 0; !atomic_load(&is_over); i = (i + 1) % WINDOW) {
    void *block = atomic_exchange(&window[i], NULL);
    if (block == NULL) {
      sched_yield();
      continue;
    }
    struct page *page = page_first(page_at(block));
    CHECK(pattern_difference(block, page->block_bytes, i) == page->block_bytes);
    memset(block, 0x5a, page->block_bytes);
    if (page_kind(page) == PAGE_BITMAP) {
      remote_free_bitmap(page, block, page_block_index(page, block));
    } else {
      remote_free(&threads_own, page, block);
    }
  }
  remote_flush(&threads_own);
  return unused;
}

static void hand_over(void *block, size_t bytes, size_t place)
{
  allow_touch(block, bytes);
  pattern_fill(block, bytes, place);
  while (atomic_load(&window[place]) != NULL) sched_yield();
  atomic_store(&window[place], block);
}

static void nothing_is_lost_between_threads(void **state)
{
  (void)state;
  pthread_t threads[THREADS];
  const unsigned classes[] = {3, 20, 47, 50};
  init_heaps(os_thread_id());
  for (size_t i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, free_from_window, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(60000); i++) {
    unsigned size_class = classes[i / 500 % 4];
    void *block = heap_take(&owner_heap, size_class, NULL);
    assert_non_null(block);
    hand_over(block, size_class_bytes(size_class), i % WINDOW);
  }
  for (size_t i = 0; i < WINDOW; i++) {
    while (atomic_load(&window[i]) != NULL) sched_yield();
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  collect(&owner_heap, true);
  assert_int_equal(fixture.pages_out, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(a_block_freed_without_a_heap_is_in_its_page_at_once),
      FIXTURE_TEST(blocks_are_gathered_until_they_are_flushed),
      FIXTURE_TEST(no_more_is_held_back_than_so_many_bytes),
      FIXTURE_TEST(pages_that_share_a_slot_push_each_other_out),
      FIXTURE_TEST(frees_into_pages_that_may_go_away_are_not_gathered),
      FIXTURE_TEST(a_full_page_is_posted_by_the_first_free_and_used_again),
      FIXTURE_TEST(unused_pages_of_an_idle_owner_are_given_back_by_others),
      FIXTURE_TEST(unused_pages_of_a_shared_heap_are_given_back_at_once),
      FIXTURE_TEST(a_page_that_changed_hands_is_sent_on),
      FIXTURE_TEST(a_second_free_of_a_bitmap_block_ends_the_process),
      FIXTURE_TEST(nothing_is_lost_between_threads),
  };
  fixture_start();
  os_gate_init();
  return SUITE_RUN(tests);
}
