// SPDX-License-Identifier: MIT
//
// The bitmap page, in both of its forms: with the bitmap in the descriptor and, above 64 blocks,
// among the metadata. Small pages of the stress build have few blocks, so the number is set here.
#define _GNU_SOURCE 1
#include "child.h"
#include "fixture.h"

#include <pthread.h>
#include <sched.h>

#include "core/metadata.h"
#include "core/page_bitmap.h"
#include "os/memory.h"

enum { THREADS = 4 };

// A page with as many blocks as asked.
static struct page *page_with(uint32_t blocks)
{
  struct page *page = fixture_page(PAGE_BITMAP, 256);
  CHECK(blocks * page->block_bytes <= page->slices * SLICE_BYTES);
  page->capacity = (uint16_t)blocks;
  CHECK(page_bitmap_init(page));
  return page;
}

static void drop(struct page *page)
{
  page_bitmap_destroy(page);
  fixture_drop(page);
}

static const uint32_t counts[] = {1, 2, 5, 63, 64, 65, 127, 128, 129, 200, 256};
enum { COUNT_COUNT = sizeof counts / sizeof counts[0] };

static void take_all(struct page *page)
{
  for (uint32_t i = 0; i < page->capacity; i++) CHECK(page_bitmap_take(page, NULL) != NULL);
}

static void every_block_is_taken_once_the_lowest_first(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT_COUNT; i++) {
    struct page *page = page_with(counts[i]);
    assert_true(page_bitmap_is_unused(page));
    for (uint32_t j = 0; j < counts[i]; j++) {
      assert_true(page_bitmap_has_free(page));
      assert_false(page_bitmap_is_live(page, j));
      assert_ptr_equal(page_bitmap_take(page, NULL), page_start(page) + j * page->block_bytes);
      assert_true(page_bitmap_is_live(page, j));
      assert_int_equal(page_bitmap_used(page), j + 1);
      assert_int_equal(page->carved, j + 1);
      assert_false(page_bitmap_is_unused(page));
    }
    assert_false(page_bitmap_has_free(page));
    assert_null(page_bitmap_take(page, NULL));
    assert_int_equal(page_bitmap_used(page), counts[i]);
    drop(page);
  }
}

static void the_last_block_to_be_freed_is_told(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT_COUNT; i++) {
    struct page *page = page_with(counts[i]);
    take_all(page);
    for (uint32_t j = 0; j < counts[i]; j++) {
      uint32_t index = (j + 7) % counts[i];
      bool is_last = j + 1 == counts[i];
      assert_int_equal(page_bitmap_free(page, index), is_last ? FREED_LAST_BLOCK : FREED_BLOCK);
      assert_false(page_bitmap_is_live(page, index));
      assert_int_equal(page_bitmap_used(page), counts[i] - j - 1);
      assert_int_equal(page_bitmap_is_unused(page), is_last);
    }
    drop(page);
  }
}

static void a_second_free_is_told_and_changes_nothing(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT_COUNT; i++) {
    struct page *page = page_with(counts[i]);
    assert_int_equal(page_bitmap_free(page, counts[i] - 1), FREED_TWICE);  // never taken
    take_all(page);
    for (uint32_t j = 0; j < counts[i]; j++) {
      assert_int_not_equal(page_bitmap_free(page, j), FREED_TWICE);
      assert_int_equal(page_bitmap_free(page, j), FREED_TWICE);
      assert_int_equal(page_bitmap_used(page), counts[i] - j - 1);
    }
    drop(page);
  }
}

static void a_freed_block_is_taken_again(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT_COUNT; i++) {
    struct page *page = page_with(counts[i]);
    take_all(page);
    for (uint32_t j = counts[i]; j-- > 0;) {
      page_bitmap_free(page, j);
      assert_ptr_equal(page_bitmap_take(page, NULL), page_start(page) + j * page->block_bytes);
    }
    drop(page);
  }
}

static void only_memory_that_was_never_taken_is_said_to_be_zero(void **state)
{
  (void)state;
  bool is_zero = false;
  struct page *page = page_with(70);
  page->flags = PAGE_IS_ZERO;
  assert_non_null(page_bitmap_take(page, &is_zero));
  assert_true(is_zero);
  page_bitmap_free(page, 0);
  assert_non_null(page_bitmap_take(page, &is_zero));
  assert_false(is_zero);
  assert_non_null(page_bitmap_take(page, &is_zero));
  assert_true(is_zero);
  page->flags = 0;
  assert_non_null(page_bitmap_take(page, &is_zero));
  assert_false(is_zero);
  drop(page);
}

static void nothing_is_taken_from_a_closed_page_but_frees_go_on(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT_COUNT; i++) {
    struct page *page = page_with(counts[i]);
    take_all(page);
    page_bitmap_free(page, 0);
    page_bitmap_close(page);
    assert_false(page_bitmap_has_free(page));
    assert_null(page_bitmap_take(page, NULL));
    assert_int_equal(page_bitmap_used(page), counts[i] - 1);
    for (uint32_t j = 1; j < counts[i]; j++) {
      assert_int_not_equal(page_bitmap_free(page, j), FREED_TWICE);
    }
    assert_true(page_bitmap_is_unused(page));
    assert_null(page_bitmap_take(page, NULL));
    page_bitmap_open(page);
    assert_true(page_bitmap_has_free(page));
    assert_ptr_equal(page_bitmap_take(page, NULL), page_start(page));
    drop(page);
  }
}

static void a_purge_returns_free_blocks_once_and_spares_the_others(void **state)
{
  enum { BLOCKS = 8 };
  (void)state;
  static const size_t block_bytes[] = {256, 4608, 8192, 40960, 65536};
  for (size_t i = 0; i < sizeof block_bytes / sizeof block_bytes[0]; i++) {
    size_t bytes = block_bytes[i];
    struct page *page = fixture_page(PAGE_BITMAP, bytes);
    page->capacity = BLOCKS;
    assert_true(page_bitmap_init(page));
    assert_int_equal(page_bitmap_purge(page), 0);
    take_all(page);
    assert_int_equal(page_bitmap_purge(page), 0);
    memset(page_start(page), 1, BLOCKS * bytes);
    const uint32_t freed[] = {1, 2, 3, 6};
    for (size_t j = 0; j < 4; j++) page_bitmap_free(page, freed[j]);
    size_t purged = page_bitmap_purge(page);
    assert_true(purged <= 4 * bytes && purged + 4 * 4096 >= 4 * bytes);
    assert_int_equal(page_bitmap_used(page), BLOCKS - 4);
    for (uint32_t j = 0; j < BLOCKS; j++) {
      if (!page_bitmap_is_live(page, j)) continue;
      const char *block = page_start(page) + j * bytes;
      assert_true(block[0] == 1 && memcmp(block, block + 1, bytes - 1) == 0);
    }
    if (bytes == 65536) assert_true(is_zero(page_start(page) + bytes, 3 * bytes));
    assert_int_equal(page_bitmap_purge(page), 0);
    for (uint32_t j = 0; j < 3; j++) {
      assert_ptr_equal(page_bitmap_take(page, NULL), page_start(page) + freed[j] * bytes);
    }
    for (uint32_t j = 0; j < 3; j++) page_bitmap_free(page, freed[j]);
    assert_true(page_bitmap_purge(page) + 2 * 4096 >= 3 * bytes);
    drop(page);
  }
}

// Blocks that are smaller than an os page: all of two os pages come free, and one on either side.
static void a_page_of_many_blocks_returns_os_pages_that_are_free_as_a_whole(void **state)
{
  (void)state;
  size_t unit = os_page_bytes();
  struct page *page = page_with(256);
  uint32_t blocks = (uint32_t)(unit / page->block_bytes);  // in an os page
  CHECK(4 * unit <= page_run_bytes(page));
  take_all(page);
  memset(page_start(page), 1, page_run_bytes(page));
  for (uint32_t i = blocks - 1; i <= 3 * blocks; i++) page_bitmap_free(page, i);
  assert_int_equal(page_bitmap_purge(page), 2 * unit);
  assert_int_equal(page_bitmap_purged_bytes(page), 2 * unit);
  assert_int_equal(page_bitmap_purge(page), 0);
  assert_true(is_zero(page_start(page) + unit, 2 * unit));
  assert_int_equal(page_start(page)[unit - 1], 1);
  assert_int_equal(page_start(page)[3 * unit], 1);
  assert_non_null(page_bitmap_take(page, NULL));
  assert_int_equal(page_bitmap_purged_bytes(page), 2 * unit);
  assert_non_null(page_bitmap_take(page, NULL));  // the first of an os page that went
  assert_int_equal(page_bitmap_purged_bytes(page), unit);
  page_bitmap_assert_valid(page);
  drop(page);
}

// The last os page that blocks lie in goes, too: what lies behind the last of them is nobody's.
static void an_os_page_that_the_last_block_ends_in_is_returned(void **state)
{
  (void)state;
  struct page *page = page_with(250);
  size_t touched = bits_align_up(page->capacity * page->block_bytes, os_page_bytes());
  CHECK(page->capacity * page->block_bytes < touched);
  take_all(page);
  memset(page_start(page), 1, page->capacity * page->block_bytes);
  for (uint32_t i = 0; i < page->capacity; i++) page_bitmap_free(page, i);
  assert_int_equal(page_bitmap_purge(page), touched);
  assert_int_equal(page_bitmap_purged_bytes(page), touched);
  assert_true(is_zero(page_start(page), touched));
  take_all(page);
  assert_int_equal(page_bitmap_purged_bytes(page), 0);
  page_bitmap_assert_valid(page);
  drop(page);
}

static void random_use_keeps_a_page_valid(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t i = 0; i < COUNT_COUNT; i++) {
    struct page *page = page_with(counts[i]);
    for (size_t j = 0; j < test_scaled(2000); j++) {
      uint32_t index = (uint32_t)random_below(&random, counts[i]);
      size_t choice = random_below(&random, 20);
      if (choice == 0) (void)page_bitmap_purge(page);
      if (choice < 10) (void)page_bitmap_take(page, NULL);
      if (choice >= 10 && page_bitmap_is_live(page, index)) page_bitmap_free(page, index);
      page_bitmap_assert_valid(page);
    }
    uint32_t used = 0;
    for (uint32_t j = 0; j < counts[i]; j++) used += page_bitmap_is_live(page, j);
    assert_int_equal(page_bitmap_used(page), used);
    drop(page);
  }
}

// What must not be, in a page of few blocks and in one of many.
static void break_bitmap(void)
{
  struct page *page = page_with(20);
  page->bits |= UINT64_C(1) << 20;
  page_bitmap_assert_valid(page);
}

static void break_carved(void)
{
  struct page *page = page_with(20);
  page_bitmap_take(page, NULL);
  page->carved = 0;
  page_bitmap_assert_valid(page);
}

static void break_purged(void)
{
  struct page *page = page_with(20);
  page_bitmap_take(page, NULL);
  page->purged = 1;
  page_bitmap_assert_valid(page);
}

static void break_purged_of_new_block(void)
{
  struct page *page = page_with(20);
  page->purged = 1;
  page_bitmap_assert_valid(page);
}

static void break_used(void)
{
  struct page *page = page_with(200);
  take_all(page);
  atomic_fetch_sub(&page->remote, 1);
  page_bitmap_assert_valid(page);
}

static void break_purged_os_pages(void)
{
  struct page *page = page_with(200);
  take_all(page);
  page->purged_os_pages = 1;
  page_bitmap_assert_valid(page);
}

static void a_broken_page_ends_the_process(void **state)
{
  static void (*const breaks[])(void) = {break_bitmap, break_carved,
                                         break_purged, break_purged_of_new_block,
                                         break_used,   break_purged_os_pages};
  (void)state;
  for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
    child_check_abort(breaks[i], "mend: internal error: ");
  }
}

static void check_page_without_bitmap(void)
{
  struct page *page = fixture_page(PAGE_BITMAP, 256);
  page->capacity = 200;
  for (size_t bytes = 8 * MIB; bytes >= 16; bytes /= 2) {
    while (metadata_allocate(bytes) != NULL) continue;  // all that there is
  }
  CHECK(!page_bitmap_init(page));
  page->capacity = 64;
  CHECK(page_bitmap_init(page));  // needs none
}

static void without_memory_for_its_bitmap_there_is_no_page(void **state)
{
  (void)state;
  child_check(check_page_without_bitmap);
}

static void a_destroyed_bitmap_goes_back_to_the_metadata(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT_COUNT; i++) {
    struct page *page = page_with(counts[i]);
    void *words = counts[i] > 64 ? (void *)page->words : NULL;
    drop(page);
    struct page *again = page_with(counts[i]);
    if (counts[i] > 64) assert_ptr_equal(again->words, words);
    assert_true(page_bitmap_is_unused(again));
    drop(again);
  }
}

// ---------------------------------------------------------------------------------------------
// Many threads.

static struct page *shared;
static _Atomic(uint32_t) frees_of[4096];
static _Atomic(uint32_t) last_blocks;

// Every thread frees every block, each beginning somewhere else.
static void *free_all(void *argument)
{
  uint32_t offset = (uint32_t)((uintptr_t)argument * 37);
  for (uint32_t i = 0; i < shared->capacity; i++) {
    uint32_t index = (i + offset) % shared->capacity;
    switch (page_bitmap_free(shared, index)) {
    case FREED_LAST_BLOCK:
      last_blocks++;
      frees_of[index]++;
      break;
    case FREED_BLOCK:
      frees_of[index]++;
      break;
    case FREED_TWICE:
      break;
    }
  }
  return NULL;
}

static void of_racing_frees_exactly_one_counts(void **state)
{
  (void)state;
  for (size_t round = 0; round < test_scaled(100); round++) {
    shared = page_with(counts[round % COUNT_COUNT]);
    take_all(shared);
    for (uint32_t i = 0; i < shared->capacity; i++) frees_of[i] = 0;
    last_blocks = 0;
    threads_run(THREADS, free_all, NULL, 1);
    for (uint32_t i = 0; i < shared->capacity; i++) assert_int_equal(frees_of[i], 1);
    assert_int_equal(last_blocks, 1);
    assert_true(page_bitmap_is_unused(shared));
    drop(shared);
  }
}

// Frees every block, and each a second time.
static void *free_one_by_one(void *unused)
{
  for (uint32_t i = 0; i < shared->capacity; i++) {
    enum page_bitmap_freed expected = i + 1 < shared->capacity ? FREED_BLOCK : FREED_LAST_BLOCK;
    CHECK(page_bitmap_free(shared, i) == expected);
    sched_yield();
    CHECK(page_bitmap_free(shared, i) == FREED_TWICE);
  }
  last_blocks++;
  return unused;
}

static void frees_during_a_purge_are_told_apart_and_none_is_lost(void **state)
{
  (void)state;
  for (size_t round = 0; round < test_scaled(200); round++) {
    pthread_t thread;
    shared = page_with(64);
    take_all(shared);
    last_blocks = 0;
    assert_int_equal(pthread_create(&thread, NULL, free_one_by_one, NULL), 0);
    do {
      shared->purged = 0;  // so that each time there is as much to do as can be
      page_bitmap_purge(shared);
    } while (last_blocks == 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(page_bitmap_is_unused(shared));
    drop(shared);
  }
}

static _Atomic(void *) handed_over;
static _Atomic(bool) is_over;

static void *free_what_is_handed_over(void *unused)
{
  (void)unused;
  while (!atomic_load(&is_over)) {
    unsigned char *block = atomic_exchange(&handed_over, NULL);
    if (block == NULL) {
      sched_yield();
      continue;
    }
    CHECK(pattern_difference(block, 256, 3) == 256);
    memset(block, 0, 256);
    CHECK(page_bitmap_free(shared, page_block_index(shared, block)) != FREED_TWICE);
  }
  return NULL;
}

static void blocks_freed_by_another_thread_are_taken_again_whole(void **state)
{
  (void)state;
  pthread_t thread;
  shared = page_with(70);
  assert_int_equal(pthread_create(&thread, NULL, free_what_is_handed_over, NULL), 0);
  for (size_t i = 0; i < test_scaled(20000);) {
    unsigned char *block = page_bitmap_take(shared, NULL);
    if (block == NULL) {
      sched_yield();
      continue;
    }
    pattern_fill(block, 256, 3);
    while (atomic_load(&handed_over) != NULL) sched_yield();
    atomic_store(&handed_over, block);
    i++;
  }
  while (atomic_load(&handed_over) != NULL) sched_yield();
  atomic_store(&is_over, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(page_bitmap_is_unused(shared));
  drop(shared);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(every_block_is_taken_once_the_lowest_first),
      FIXTURE_TEST(the_last_block_to_be_freed_is_told),
      FIXTURE_TEST(a_second_free_is_told_and_changes_nothing),
      FIXTURE_TEST(a_freed_block_is_taken_again),
      FIXTURE_TEST(only_memory_that_was_never_taken_is_said_to_be_zero),
      FIXTURE_TEST(nothing_is_taken_from_a_closed_page_but_frees_go_on),
      FIXTURE_TEST(a_purge_returns_free_blocks_once_and_spares_the_others),
      FIXTURE_TEST(a_page_of_many_blocks_returns_os_pages_that_are_free_as_a_whole),
      FIXTURE_TEST(an_os_page_that_the_last_block_ends_in_is_returned),
      FIXTURE_TEST(random_use_keeps_a_page_valid),
      FIXTURE_TEST(a_broken_page_ends_the_process),
      FIXTURE_TEST(without_memory_for_its_bitmap_there_is_no_page),
      FIXTURE_TEST(a_destroyed_bitmap_goes_back_to_the_metadata),
      FIXTURE_TEST(of_racing_frees_exactly_one_counts),
      FIXTURE_TEST(frees_during_a_purge_are_told_apart_and_none_is_lost),
      FIXTURE_TEST(blocks_freed_by_another_thread_are_taken_again_whole),
  };
  fixture_start();
  return SUITE_RUN(tests);
}
