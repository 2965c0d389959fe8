// SPDX-License-Identifier: MIT
//
// Frees by other threads: held in bins, gathered, spliced, posted, and given back in an idle
// owner's place. One thread plays all the parts where it can: a heap whose owner word is another id
// is somebody else's.
#define _GNU_SOURCE 1
#include "child.h"
#include "heaps.h"

#include <pthread.h>
#include <sched.h>

static struct heap owner_heap;  // whose blocks they are
static struct heap mine;        // the freeing thread's

static void init_heaps(uintptr_t owner)
{
  init_heap(&owner_heap, owner);
  init_heap(&mine, os_thread_id());
}

// Takes blocks until `count` pages of the class are out. Returns how many blocks that are.
static size_t take_pages(void **blocks, unsigned size_class, size_t count)
{
  size_t taken = 0;
  while (fixture.pages_out < count) blocks[taken++] = heap_take(&owner_heap, size_class, NULL);
  return taken;
}

static void a_block_freed_at_once_is_in_its_page(void **state)
{
  (void)state;
  static void *blocks[TUNING_PAGE_BLOCKS];
  init_heaps(SOMEBODY);
  struct page *page = take_page(&owner_heap, 40, blocks);
  for (size_t i = 0; i < page->capacity; i++) {
    assert_int_equal(remote_count(page), i);
    remote_free(page, blocks[i]);
    if (i + 1 < page->capacity) assert_ptr_equal(remote_peek(page), blocks[i]);
  }
  collect(&owner_heap);
}

static void blocks_are_gathered_until_they_are_flushed(void **state)
{
  (void)state;
  static void *blocks[TUNING_PAGE_BLOCKS];
  struct outgoing outgoing = {0};
  init_heaps(SOMEBODY);
  struct page *page = take_page(&owner_heap, 0, blocks);
  size_t gathered = page->capacity / 2;
  for (size_t i = 0; i < gathered; i++) remote_gather(&outgoing, page, block_chain_of(blocks[i]));
  assert_int_equal(remote_count(page), 0);
  remote_flush(&outgoing);
  assert_int_equal(remote_count(page), gathered);
  remote_flush(&outgoing);  // of which nothing is left
  assert_int_equal(remote_count(page), gathered);
  struct block_chain chain = remote_take(page);
  assert_int_equal(chain.count, gathered);
  struct block *at = chain.first;
  for (size_t i = gathered; i-- > 0; at = block_next(at)) assert_ptr_equal(at, blocks[i]);
  assert_null(at);
  assert_int_equal(remote_count(page), 0);
  assert_null(remote_take(page).first);
  free_all(&owner_heap);
}

static void pages_that_share_a_slot_push_each_other_out(void **state)
{
  (void)state;
  static void *blocks[100];
  struct page *pages[TUNING_OUTGOING_SLOTS + 1];
  struct outgoing outgoing = {0};
  init_heaps(SOMEBODY);
  // One page of each of several classes; every page is one slice, so their numbers follow.
  for (unsigned i = 0; i <= TUNING_OUTGOING_SLOTS; i++) {
    blocks[i] = heap_take(&owner_heap, i, NULL);
    pages[i] = page_at(blocks[i]);
    if (i > 0) assert_ptr_equal(pages[i], pages[i - 1] + 1);
  }
  for (unsigned i = 0; i < TUNING_OUTGOING_SLOTS; i++) {
    remote_gather(&outgoing, pages[i], block_chain_of(blocks[i]));
    assert_int_equal(remote_count(pages[i]), 0);
  }
  remote_gather(&outgoing, pages[TUNING_OUTGOING_SLOTS],
                block_chain_of(blocks[TUNING_OUTGOING_SLOTS]));
  for (unsigned i = 0; i <= TUNING_OUTGOING_SLOTS; i++) {
    assert_int_equal(remote_count(pages[i]), i == 0);
  }
  remote_flush(&outgoing);
  for (unsigned i = 0; i <= TUNING_OUTGOING_SLOTS; i++) assert_int_equal(remote_count(pages[i]), 1);
  free_all(&owner_heap);
}

// Whether exactly the page's blocks below `count` are in its chain.
static bool has_blocks_below(struct page *page, uint32_t count)
{
  uint64_t marks[TUNING_PAGE_BLOCKS / 64 + 1] = {0};
  struct block_chain chain = remote_take(page);
  uint32_t length = 0;
  for (struct block *at = chain.first; at != NULL; at = block_next(at), length++) {
    uint32_t index = page_block_index(page, at);
    CHECK(index < page->capacity && (marks[index / 64] >> index % 64 & 1) == 0);
    marks[index / 64] |= UINT64_C(1) << index % 64;
  }
  uint32_t found = 0;
  while (found < page->capacity && (marks[found / 64] >> found % 64 & 1) != 0) found++;
  return length == count && chain.count == count && found == count;
}

static void more_pages_than_slots_get_each_their_own_blocks(void **state)
{
  enum { PAGES = 3 * TUNING_OUTGOING_SLOTS + 1 };
  (void)state;
  struct random random = {random_seed()};
  struct outgoing outgoing = {0};
  struct page *pages[PAGES];
  uint32_t gathered[PAGES] = {0};
  for (size_t i = 0; i < PAGES; i++) {
    pages[i] = fixture_page(PAGE_LIST, 64);
    while (page_list_has_free(pages[i])) (void)page_list_take(pages[i]);
  }
  for (size_t i = 0; i < 100 * PAGES; i++) {
    size_t which = random_below(&random, PAGES);
    if (gathered[which] == pages[which]->capacity) continue;
    char *block = page_start(pages[which]) + gathered[which]++ * 64;
    remote_gather(&outgoing, pages[which], block_chain_of((struct block *)(void *)block));
  }
  remote_flush(&outgoing);
  for (size_t i = 0; i < PAGES; i++) {
    assert_true(has_blocks_below(pages[i], gathered[i]));
    fixture_drop(pages[i]);
  }
}

static void no_more_is_held_back_than_a_bin_has_room_for(void **state)
{
  (void)state;
  static void *blocks[4 * TUNING_PAGE_BLOCKS];
  uint32_t most = most_of_class(30);
  init_heaps(SOMEBODY);
  heap_bin(&mine, 30)->limit = most;  // as after many refills
  size_t count = take_pages(blocks, 30, 4);
  for (size_t i = 0; i < count; i++) {
    free_into(&mine, blocks[i]);
    if (fixture.pages_out < 4) break;  // some were given back already
    assert_true(i + 1 - blocks_in_pages() <= most + 1);
  }
  collect(&mine);
  free_all(&owner_heap);
}

static void frees_into_pages_that_may_go_away_are_not_held_back(void **state)
{
  (void)state;
  init_heaps(OWNER_SHARED);
  owner_heap.is_direct = true;
  void *one = heap_take(&owner_heap, 5, NULL);
  void *two = heap_take(&owner_heap, 5, NULL);
  free_into(&mine, one);
  assert_int_equal(remote_count(page_at(one)), 1);
  free_into(&mine, two);
  collect(&owner_heap);
  assert_int_equal(fixture.pages_out, 0);
}

static void blocks_of_any_heap_go_back_to_their_own_pages(void **state)
{
  (void)state;
  static struct heap common;
  static void *blocks[3][300];
  struct heap *heaps[] = {&mine, &owner_heap, &common};
  init_heaps(SOMEBODY);
  init_heap(&common, OWNER_SHARED);
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = 0; j < 300; j++) blocks[i][j] = take(heaps[i], 30, NULL);
    collect(heaps[i]);
  }
  struct bin *bin = heap_bin(&mine, 30);
  size_t before = blocks_in_pages();
  for (size_t j = 1; j < 300; j++) {  // one of each heap stays, and with it its page
    for (size_t i = 0; i < 3; i++) {
      free_into(&mine, blocks[i][j]);
      assert_ptr_equal(bin->first, blocks[i][j]);
    }
  }
  assert_true(bin_count(bin) > 0 && blocks_in_pages() != before);
  for (size_t i = 0; i < 3; i++) assert_valid(heaps[i]);
  collect(&mine);
  assert_null(bin->first);
  assert_int_equal(remote_count(page_at(blocks[0][0])), 0);
  for (size_t i = 0; i < 3; i++) {
    if (i > 0) assert_true(remote_count(page_at(blocks[i][0])) > 0);  // not what is its heap's
    collect(heaps[i]);
    struct page *page = page_at(blocks[i][0]);
    assert_ptr_equal(page_heap(page), heaps[i]);
    assert_int_equal(page_used(page) - remote_count(page), 1);
  }
  assert_int_equal(fixture.pages_out, 3);
  for (size_t i = 0; i < 3; i++) remote_free(page_at(blocks[i][0]), blocks[i][0]);
  for (size_t i = 0; i < 3; i++) collect(heaps[i]);
  assert_int_equal(fixture.pages_out, 0);
}

static void a_page_may_change_hands_while_its_blocks_lie_in_a_bin(void **state)
{
  (void)state;
  static struct heap common;
  void *blocks[3];
  init_heaps(SOMEBODY);
  init_heap(&common, OWNER_SHARED);
  common.keeps_unused = false;
  for (size_t i = 0; i < 3; i++) blocks[i] = take(&owner_heap, 40, NULL);
  collect(&owner_heap);
  struct bin *bin = heap_bin(&mine, 40);
  counter_set(&bin->room, 3);
  for (size_t i = 0; i < 3; i++) free_into(&mine, blocks[i]);
  assert_int_equal(bin_count(bin), 3);
  heap_enter(&owner_heap);
  heap_enter(&common);
  heap_give_pages(&owner_heap, &common);
  heap_leave(&common);
  heap_leave(&owner_heap);
  assert_int_equal(fixture.pages_out, 1);
  collect(&mine);
  assert_int_equal(fixture.pages_out, 0);
}

static void a_full_page_is_posted_by_the_first_free_and_used_again(void **state)
{
  (void)state;
  static void *blocks[TUNING_PAGE_BLOCKS];
  const unsigned classes[] = {44, 70};
  for (size_t i = 0; i < 2; i++) {
    init_heaps(os_thread_id());
    struct page *page = take_page(&owner_heap, classes[i], blocks);
    assert_int_equal(page->notice, NOTICE_AWAITED);
    assert_null(atomic_load(&owner_heap.inbox));
    if (classes[i] < SIZE_CLASS_SMALL_COUNT) {
      remote_free(page, blocks[1]);
    } else {
      remote_free_bitmap(page, blocks[1], 1);
    }
    assert_int_equal(page->notice, NOTICE_POSTED);
    assert_ptr_equal(atomic_load(&owner_heap.inbox), page);
    fixture.takes_left = 0;
    assert_ptr_equal(heap_take(&owner_heap, classes[i], NULL), blocks[1]);
    fixture.takes_left = SIZE_MAX;
    heap_assert_valid(&owner_heap);
    free_all(&owner_heap);
  }
}

static void unused_pages_of_an_idle_owner_are_given_back_by_others(void **state)
{
  enum { PAGES = TUNING_POSTS_BEFORE_RECLAIM + 4 };
  (void)state;
  static void *blocks[PAGES * TUNING_PAGE_BLOCKS];
  init_heaps(SOMEBODY);
  size_t count = take_pages(blocks, 46, PAGES);
  collect(&owner_heap);  // the owner keeps no block in its bins
  for (size_t i = 0; i < count; i++) free_into(&mine, blocks[i]);
  collect(&mine);
  assert_true(fixture.pages_out < TUNING_POSTS_BEFORE_RECLAIM);
  collect(&owner_heap);
  assert_int_equal(fixture.pages_out, 0);
}

static void unused_pages_of_a_shared_heap_are_given_back_at_once(void **state)
{
  (void)state;
  static void *blocks[100];
  init_heaps(OWNER_SHARED);
  owner_heap.keeps_unused = false;
  for (size_t i = 0; i < 100; i++) blocks[i] = heap_take(&owner_heap, 72, NULL);
  for (size_t i = 0; i < 100; i++) free_into(&mine, blocks[i]);
  assert_int_equal(fixture.pages_out, 0);
}

static void a_page_that_changed_hands_is_sent_on(void **state)
{
  (void)state;
  static struct heap other;
  static void *blocks[TUNING_PAGE_BLOCKS];
  init_heaps(os_thread_id());
  init_heap(&other, OWNER_SHARED);
  other.keeps_unused = false;
  struct page *page = take_page(&owner_heap, 45, blocks);
  remote_free(page, blocks[0]);  // posted to owner_heap
  heap_enter(&owner_heap);
  heap_enter(&other);
  heap_give_pages(&owner_heap, &other);
  heap_leave(&other);
  assert_ptr_equal(atomic_load(&owner_heap.inbox), page);
  for (size_t i = 1; i < page->capacity; i++) remote_free(page, blocks[i]);
  assert_int_equal(fixture.pages_out, 1);  // it hangs in an inbox: nobody may give it back
  remote_read_inbox(&owner_heap);
  heap_leave(&owner_heap);
  assert_null(atomic_load(&owner_heap.inbox));
  collect(&other);
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
  init_heap(&threads_own, os_thread_id());
  for (size_t i = 0; !atomic_load(&is_over); i = (i + 1) % WINDOW) {
    void *block = atomic_exchange(&window[i], NULL);
    if (block == NULL) {
      sched_yield();
      continue;
    }
    struct page *page = page_first(page_at(block));
    CHECK(pattern_difference(block, page->block_bytes, i) == page->block_bytes);
    memset(block, 0x5a, page->block_bytes);
    free_into(&threads_own, block);
  }
  collect(&threads_own);
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
  collect(&owner_heap);
  assert_int_equal(fixture.pages_out, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(a_block_freed_at_once_is_in_its_page),
      FIXTURE_TEST(blocks_are_gathered_until_they_are_flushed),
      FIXTURE_TEST(pages_that_share_a_slot_push_each_other_out),
      FIXTURE_TEST(more_pages_than_slots_get_each_their_own_blocks),
      FIXTURE_TEST(no_more_is_held_back_than_a_bin_has_room_for),
      FIXTURE_TEST(frees_into_pages_that_may_go_away_are_not_held_back),
      FIXTURE_TEST(blocks_of_any_heap_go_back_to_their_own_pages),
      FIXTURE_TEST(a_page_may_change_hands_while_its_blocks_lie_in_a_bin),
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
