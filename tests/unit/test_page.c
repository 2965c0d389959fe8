// SPDX-License-Identifier: MIT
//
// Descriptors: from an address to its page, what a page is made of, who is told of frees, and the
// walk over its blocks.
#define _GNU_SOURCE 1
#include "child.h"
#include "fixture.h"

#include "base/size_class.h"
#include "core/heap.h"
#include "os/memory.h"

static char *slice_start(size_t index)
{
  return (char *)region.start + index * SLICE_BYTES;
}

static struct block *block_at(struct page *page, uint32_t index)
{
  return (struct block *)(void *)(page_start(page) + index * page->block_bytes);
}

static void every_16th_address_of_the_region_has_its_slices_descriptor(void **state)
{
  (void)state;
  for (size_t i = 0; i < FIXTURE_SLICES; i++) {
    for (size_t offset = 0; offset < SLICE_BYTES; offset += i < 2 ? 16 : 4080) {
      assert_ptr_equal(page_at(slice_start(i) + offset), &fixture.pages[i]);
    }
    assert_ptr_equal(page_at(slice_start(i) + SLICE_BYTES - 16), &fixture.pages[i]);
    assert_int_equal(page_index(&fixture.pages[i]), i);
    assert_ptr_equal(page_start(&fixture.pages[i]), slice_start(i));
  }
}

static void other_addresses_have_none(void **state)
{
  (void)state;
  char *end = slice_start(FIXTURE_SLICES);
  assert_null(page_at(NULL));
  assert_null(page_at(&state));
  assert_null(page_at((char *)region.start - 16));
  assert_null(page_at(end));
  assert_null(page_at(end + 16));
  assert_null(page_at((void *)UINTPTR_MAX));
  assert_null(page_at((void *)(UINTPTR_MAX - 15)));
  assert_null(page_at((void *)(region.start + (UINT64_C(1) << 63))));
  for (uintptr_t i = 1; i < 16; i++) {
    assert_null(page_at((char *)region.start + i));
    assert_null(page_at(slice_start(7) + 4096 + i));
    assert_null(page_at(end - 16 + i));
  }
}

static void a_page_of_any_class_holds_as_many_blocks_as_fit(void **state)
{
  (void)state;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    size_t bytes = size_class_bytes(i);
    enum page_kind kind = i < SIZE_CLASS_SMALL_COUNT ? PAGE_LIST : PAGE_BITMAP;
    struct page *page = fixture_page(kind, bytes);
    size_t fitting = page->slices * SLICE_BYTES / bytes;
    size_t most = TUNING_PAGE_BLOCKS;
    assert_int_equal(page->capacity, fitting < most ? fitting : most);
    assert_true(fitting >= 2);
    assert_int_equal(page->block_bytes, bytes);
    assert_int_equal(page->carved, 0);
    assert_int_equal(page->bin_offset, 0);
    assert_int_equal(page_kind(page), kind);
    assert_int_equal(page_touched_bytes(page), 0);
    // Blocks of a medium page may begin in any of its slices.
    for (uint32_t j = 0; j < page->slices; j++) assert_ptr_equal(page_first(page + j), page);
    fixture_drop(page);
  }
}

static void only_the_start_of_a_block_has_an_index(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 48, 1024, 3584, 9216, 65536};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct page *page = fixture_page(PAGE_LIST, sizes[i]);
    for (size_t offset = 0; offset < page->slices * SLICE_BYTES; offset += 16) {
      size_t index = offset / sizes[i];
      bool is_block = offset % sizes[i] == 0 && index < page->capacity;
      assert_int_equal(page_block_index(page, page_start(page) + offset),
                       is_block ? index : UINT32_MAX);
    }
    fixture_drop(page);
  }
}

static void a_large_page_is_one_block_that_counts_as_touched(void **state)
{
  (void)state;
  bool is_zero = false;
  struct page *page = fixture_take(&fixture.source, 3, 1, (struct page_request){0, 0}, &is_zero);
  assert_non_null(page);
  page->source = &fixture.source;
  for (uint32_t i = 0; i < 3; i++) atomic_store(&page[i].is_source, true);
  page_init(page, PAGE_LARGE, 3, 2 * SLICE_BYTES + 100, is_zero);
  assert_false(page->is_source);
  assert_true(page[1].is_source && page[2].is_source);  // descriptors of many slices stay untouched
  for (uint32_t i = 0; i < 3; i++) atomic_store(&page[i].is_source, false);
  assert_int_equal(page->capacity, 1);
  assert_int_equal(page_touched_bytes(page), 2 * SLICE_BYTES + os_page_bytes());
  assert_int_equal(page_block_index(page, page_start(page)), 0);
  assert_int_equal(page_block_index(page, page_start(page) + SLICE_BYTES), UINT32_MAX);
  fixture_drop(page);
}

static void a_new_page_keeps_the_split_and_the_zero_flag_and_no_other(void **state)
{
  (void)state;
  struct page *page = fixture_page(PAGE_LIST, 64);
  for (unsigned is_zero = 0; is_zero < 2; is_zero++) {
    page->flags = PAGE_IS_SPLIT | PAGE_IS_CLOSED | PAGE_REST_PURGED | PAGE_IS_ZERO;
    page_init(page, PAGE_LIST, 1, 64, is_zero != 0);
    assert_int_equal(page->flags, PAGE_IS_SPLIT | (is_zero != 0 ? PAGE_IS_ZERO : 0));
    page->flags = 0;
    page_init(page, PAGE_LIST, 1, 64, is_zero != 0);
    assert_int_equal(page->flags, is_zero != 0 ? PAGE_IS_ZERO : 0);
  }
  fixture_drop(page);
}

static void a_page_that_hangs_in_an_inbox_is_not_retired(void **state)
{
  (void)state;
  struct page *page = fixture_page(PAGE_LIST, 64);
  assert_int_equal(page->notice, NOTICE_NONE);
  assert_true(page_retire(page));
  atomic_store(&page->notice, NOTICE_AWAITED);
  assert_true(page_retire(page));
  assert_int_equal(page->notice, NOTICE_NONE);
  atomic_store(&page->notice, NOTICE_POSTED);
  assert_false(page_retire(page));
  assert_int_equal(page->notice, NOTICE_POSTED);
  fixture_drop(page);
}

// ---------------------------------------------------------------------------------------------
// Walking.

struct visits {
  const struct page *page;
  size_t count;
  size_t stop_after;  // 0: never
  bool seen[TUNING_PAGE_BLOCKS];
};

static bool visit(void *block, size_t usable_size, void *argument)
{
  struct visits *visits = argument;
  uint32_t index = page_block_index(visits->page, block);
  CHECK(index < visits->page->capacity && usable_size == visits->page->block_bytes);
  CHECK(!visits->seen[index]);
  visits->seen[index] = true;
  visits->count++;
  return visits->count != visits->stop_after;
}

static void assert_visits(struct page *page, const bool *is_live)
{
  static struct visits visits;
  visits = (struct visits){.page = page};
  assert_true(page_visit(page, visit, &visits));
  for (uint32_t i = 0; i < page->capacity; i++) assert_int_equal(visits.seen[i], is_live[i]);
  for (size_t most = 1; most <= visits.count && most < 5; most++) {
    struct visits stopped = {.page = page, .stop_after = most};
    assert_false(page_visit(page, visit, &stopped));
    assert_int_equal(stopped.count, most);
  }
}

static void a_walk_over_a_list_page_meets_the_blocks_that_are_out(void **state)
{
  (void)state;
  static bool is_live[TUNING_PAGE_BLOCKS];
  struct page *page = fixture_page(PAGE_LIST, 512);
  assert_visits(page, is_live);
  struct block_chain chain = page_list_take(page);
  for (uint32_t i = 0; i < chain.count; i++) is_live[i] = true;
  assert_visits(page, is_live);
  for (uint32_t i = 0; i < chain.count; i += 2) {
    page_list_return(page, block_chain_of(block_at(page, i)));
    is_live[i] = false;
    assert_visits(page, is_live);
  }
  remote_free(page, block_at(page, 1));
  is_live[1] = false;
  assert_visits(page, is_live);
  fixture_drop(page);
}

static void a_walk_over_a_bitmap_page_meets_the_blocks_that_are_out(void **state)
{
  (void)state;
  static bool is_live[TUNING_PAGE_BLOCKS];
  struct page *page = fixture_page(PAGE_BITMAP, 8192);
  assert_true(page_bitmap_init(page));
  assert_visits(page, is_live);
  for (uint32_t i = 0; i < page->capacity; i++) {
    assert_non_null(page_bitmap_take(page, NULL));
    is_live[i] = true;
    assert_visits(page, is_live);
  }
  for (uint32_t i = 0; i < page->capacity; i += 2) {
    page_bitmap_free(page, i);
    is_live[i] = false;
    assert_visits(page, is_live);
  }
  fixture_drop(page);
}

static void the_two_kinds_answer_through_one_interface(void **state)
{
  (void)state;
  struct page *list = fixture_page(PAGE_LIST, 4096);
  struct page *bitmap = fixture_page(PAGE_BITMAP, 65536);
  assert_true(page_bitmap_init(bitmap));
  struct page *pages[] = {list, bitmap};
  for (size_t i = 0; i < 2; i++) {
    assert_true(page_has_free(pages[i]));
    assert_true(page_is_unused(pages[i]));
    page_assert_valid(pages[i]);
  }
  for (uint32_t i = 0; i < list->capacity; i++) assert_int_equal(page_list_take(list).count, 1);
  for (uint32_t i = 0; i < bitmap->capacity; i++) assert_non_null(page_bitmap_take(bitmap, NULL));
  for (size_t i = 0; i < 2; i++) {
    assert_false(page_has_free(pages[i]));
    assert_false(page_is_unused(pages[i]));
    page_assert_valid(pages[i]);
    fixture_drop(pages[i]);
  }
}

static void what_lies_behind_the_carved_blocks_is_returned_once(void **state)
{
  (void)state;
  size_t os_page = os_page_bytes();
  struct page *page = fixture_page(PAGE_LIST, 512);
  assert_int_equal(page_purge_rest(page), 0);  // clean from the start
  assert_int_equal(page_resident_bytes(page), 0);
  page->flags &= (uint8_t)~PAGE_IS_ZERO;
  memset(page_start(page), 1, SLICE_BYTES);
  page_list_take(page);
  allow_touch(page_start(page), SLICE_BYTES);
  size_t touched = page_touched_bytes(page);
  char last = page_start(page)[touched - 1];
  assert_true(touched >= os_page && touched < SLICE_BYTES);
  assert_int_equal(page_resident_bytes(page), SLICE_BYTES);
  assert_int_equal(page_purge_rest(page), SLICE_BYTES - touched);
  assert_int_equal(page_resident_bytes(page), touched);
  assert_true(is_zero(page_start(page) + touched, SLICE_BYTES - touched));
  assert_int_equal(page_start(page)[touched - 1], last);
  assert_int_equal(page_purge_rest(page), 0);
  fixture_drop(page);
  struct page *full = fixture_page(PAGE_LIST, 4096);
  full->flags = 0;
  while (full->carved < full->capacity) page_list_take(full);
  size_t carved_bytes = full->capacity * full->block_bytes;
  assert_int_equal(page_purge_rest(full), SLICE_BYTES - carved_bytes);
  fixture_drop(full);
}

static void break_carved(void)
{
  struct page *page = fixture_page(PAGE_LIST, 64);
  page->carved = page->capacity + 1;
  page_assert_valid(page);
}

static void break_used(void)
{
  struct page *page = fixture_page(PAGE_LIST, 64);
  page_list_take(page);
  atomic_store(&page->used, page->carved + 1);
  page_assert_valid(page);
}

static void a_broken_page_ends_the_process(void **state)
{
  (void)state;
  child_check_abort(break_carved, "mend: internal error: ");
  child_check_abort(break_used, "mend: internal error: ");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(every_16th_address_of_the_region_has_its_slices_descriptor),
      FIXTURE_TEST(other_addresses_have_none),
      FIXTURE_TEST(a_page_of_any_class_holds_as_many_blocks_as_fit),
      FIXTURE_TEST(only_the_start_of_a_block_has_an_index),
      FIXTURE_TEST(a_large_page_is_one_block_that_counts_as_touched),
      FIXTURE_TEST(a_new_page_keeps_the_split_and_the_zero_flag_and_no_other),
      FIXTURE_TEST(a_page_that_hangs_in_an_inbox_is_not_retired),
      FIXTURE_TEST(a_walk_over_a_list_page_meets_the_blocks_that_are_out),
      FIXTURE_TEST(a_walk_over_a_bitmap_page_meets_the_blocks_that_are_out),
      FIXTURE_TEST(the_two_kinds_answer_through_one_interface),
      FIXTURE_TEST(what_lies_behind_the_carved_blocks_is_returned_once),
      FIXTURE_TEST(a_broken_page_ends_the_process),
  };
  fixture_start();
  return SUITE_RUN(tests);
}
