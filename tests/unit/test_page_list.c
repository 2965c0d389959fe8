// SPDX-License-Identifier: MIT
//
// The list page: blocks are taken in bulk from what its heap returned, else from what others freed,
// else from memory that was never used, one os page at a time; and the counts stay right whatever
// is done in which order.
#define _GNU_SOURCE 1
#include "child.h"
#include "fixture.h"

#include <pthread.h>

#include "base/size_class.h"
#include "core/block_link.h"
#include "core/remote.h"
#include "os/memory.h"

static struct page *page_of(size_t block_bytes)
{
  return fixture_page(PAGE_LIST, block_bytes);
}

static struct block *block_at(struct page *page, uint32_t index)
{
  return (struct block *)(void *)(page_start(page) + index * page->block_bytes);
}

// How long a chain really is; each of its blocks is marked in `is_out`, where it must not be yet.
static uint32_t spread(struct page *page, struct block_chain chain, bool *is_out)
{
  uint32_t count = 0;
  for (struct block *at = chain.first; at != NULL; at = block_next(at)) {
    uint32_t index = page_block_index(page, at);
    CHECK(index < page->carved && !is_out[index]);
    is_out[index] = true;
    count++;
  }
  return count;
}

static void blocks_are_carved_one_os_page_at_a_time(void **state)
{
  (void)state;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) {
    struct page *page = page_of(size_class_bytes(i));
    bool is_out[TUNING_PAGE_BLOCKS] = {false};
    uint32_t taken = 0;
    while (taken < page->capacity) {
      size_t touched = taken * page->block_bytes;
      struct block_chain chain = page_list_take(page);
      assert_int_equal(spread(page, chain, is_out), chain.count);
      taken += chain.count;
      assert_true(chain.count > 0);
      assert_int_equal(page->carved, taken);
      assert_int_equal(page_used(page), taken);
      // No further than the end of the os page in which the first new block ends.
      size_t end = bits_align_up(touched + page->block_bytes, os_page_bytes());
      assert_true(taken * page->block_bytes <= end);
      assert_true((taken + 1) * page->block_bytes > end || taken == page->capacity);
      page_list_assert_valid(page);
    }
    assert_null(page_list_take(page).first);
    assert_false(page_list_has_free(page));
    fixture_drop(page);
  }
}

static void blocks_that_were_returned_come_back_together(void **state)
{
  (void)state;
  struct page *page = page_of(1024);
  bool is_out[TUNING_PAGE_BLOCKS] = {false};
  bool is_back[TUNING_PAGE_BLOCKS] = {false};
  uint32_t taken = spread(page, page_list_take(page), is_out);
  taken += spread(page, page_list_take(page), is_out);
  assert_true(taken >= 2);
  for (uint32_t i = 0; i < taken; i += 2) page_list_return(page, block_chain_of(block_at(page, i)));
  assert_int_equal(page_used(page), taken / 2);
  struct block_chain chain = page_list_take(page);
  assert_int_equal(chain.count, taken - taken / 2);
  assert_int_equal(spread(page, chain, is_back), chain.count);
  for (uint32_t i = 0; i < taken; i++) assert_int_equal(is_back[i], i % 2 == 0);
  assert_int_equal(page_used(page), taken);
  assert_int_equal(page->carved, taken);
  fixture_drop(page);
}

static void blocks_that_others_freed_come_after_those_returned(void **state)
{
  (void)state;
  struct page *page = page_of(512);
  bool is_out[TUNING_PAGE_BLOCKS] = {false};
  bool is_back[TUNING_PAGE_BLOCKS] = {false};
  uint32_t taken = spread(page, page_list_take(page), is_out);
  assert_true(taken >= 4);
  remote_free(page, block_at(page, 0));
  remote_free(page, block_at(page, 2));
  page_list_return(page, block_chain_of(block_at(page, 1)));
  assert_int_equal(remote_count(page), 2);
  assert_int_equal(page_used(page), taken - 1);  // others' frees are not seen yet
  struct block_chain local = page_list_take(page);
  assert_int_equal(spread(page, local, is_back), 1);
  assert_true(is_back[1]);
  struct block_chain remote = page_list_take(page);
  assert_int_equal(remote.count, 2);
  assert_int_equal(spread(page, remote, is_back), 2);
  assert_true(is_back[0] && is_back[2]);
  assert_int_equal(page_used(page), taken);
  assert_int_equal(remote_count(page), 0);
  page_list_assert_valid(page);
  fixture_drop(page);
}

static void blocks_that_were_not_used_can_be_returned(void **state)
{
  (void)state;
  struct page *page = page_of(256);
  bool is_back[TUNING_PAGE_BLOCKS] = {false};
  struct block_chain chain = page_list_take(page);
  assert_false(page_list_is_unused(page));
  for (struct block *at = chain.first, *next; at != NULL; at = next) {
    next = block_next(at);
    page_list_return(page, block_chain_of(at));
  }
  assert_int_equal(page_used(page), 0);
  assert_true(page_list_is_unused(page));
  page_list_assert_valid(page);
  assert_int_equal(spread(page, page_list_take(page), is_back), chain.count);
  fixture_drop(page);
}

static void each_return_counts_and_the_last_leaves_the_page_unused(void **state)
{
  (void)state;
  struct page *page = page_of(16);
  uint32_t taken = page_list_take(page).count;
  assert_true(taken >= 5);
  for (uint32_t i = 0; i < taken; i++) {
    assert_int_equal(page_used(page), taken - i);
    assert_false(page_list_is_unused(page));
    page_list_return(page, block_chain_of(block_at(page, i)));
    assert_ptr_equal(page->local_free, block_at(page, i));
    assert_int_equal(page->carved, taken);
    page_list_assert_valid(page);
  }
  assert_int_equal(page_used(page), 0);
  assert_true(page_list_is_unused(page));
  fixture_drop(page);
}

static uint32_t letters[TUNING_PAGE_BLOCKS];

static void *write_and_return(void *argument)
{
  struct page *page = argument;
  for (uint32_t used = page_used(page); used > 0; used--) {
    letters[used - 1] = used;
    page_list_return(page, block_chain_of(block_at(page, used - 1)));
  }
  return NULL;
}

// A stranger may find a page unused by this, and have its memory given back.
static void what_came_before_a_return_is_seen_after_it(void **state)
{
  (void)state;
  pthread_t writer;
  struct page *page = page_of(16);
  uint32_t taken = 0;
  while (page_list_has_free(page)) taken += page_list_take(page).count;
  assert_int_equal(taken, page->capacity);
  assert_int_equal(pthread_create(&writer, NULL, write_and_return, page), 0);
  for (uint32_t used = taken; used > 0;) {
    used = page_used(page);
    for (uint32_t i = used; i < taken && i < used + 8; i++) assert_int_equal(letters[i], i + 1);
  }
  assert_int_equal(pthread_join(writer, NULL), 0);
  fixture_drop(page);
}

static void a_page_is_unused_when_every_block_was_freed_by_whomever(void **state)
{
  (void)state;
  struct page *page = page_of(1024);
  assert_true(page_list_is_unused(page));
  uint32_t taken = page_list_take(page).count;
  assert_true(taken >= 2);
  for (uint32_t i = 0; i < taken; i++) {
    assert_false(page_list_is_unused(page));
    if (i % 2 == 0) {
      remote_free(page, block_at(page, i));
    } else {
      page_list_return(page, block_chain_of(block_at(page, i)));
    }
  }
  assert_true(page_list_is_unused(page));
  fixture_drop(page);
}

static void free_blocks_are_marked_wherever_they_wait(void **state)
{
  (void)state;
  struct page *page = page_of(1024);
  uint64_t marks[TUNING_PAGE_BLOCKS / 64 + 1] = {0};
  uint32_t taken = page_list_take(page).count;
  assert_true(taken >= 4);
  page_list_return(page, block_chain_of(block_at(page, 0)));
  page_list_return(page, block_chain_of(block_at(page, 3)));
  remote_free(page, block_at(page, 1));
  page_list_mark_free(page, marks);
  assert_int_equal(marks[0], 1 | 2 | 8);
  fixture_drop(page);
}

static void mark_corrupted(void)
{
  struct page *page = page_of(1024);
  uint64_t marks[TUNING_PAGE_BLOCKS / 64 + 1] = {0};
  page_list_take(page);
  page_list_return(page, block_chain_of(block_at(page, 0)));
  block_set_next(block_at(page, 0), (struct block *)(void *)(page_start(page) + 8 * 1024 + 16));
  page_list_mark_free(page, marks);
}

static void a_link_to_where_no_block_is_ends_the_process(void **state)
{
  (void)state;
  child_check_abort(mark_corrupted, "mend: corrupted list of free blocks: 0x");
}

// ---------------------------------------------------------------------------------------------
// Everything in any order.

struct model {
  struct page *page;
  bool is_out[TUNING_PAGE_BLOCKS];  // with the user
  uint32_t out;
};

static uint32_t any_block_out(const struct model *model, struct random *random)
{
  uint32_t index = (uint32_t)random_below(random, model->page->carved);
  while (!model->is_out[index]) index = (index + 1) % model->page->carved;
  return index;
}

static void step(struct model *model, struct random *random)
{
  struct page *page = model->page;
  size_t choice = random_below(random, 8);
  if (choice == 0 || model->out == 0) {
    struct block_chain chain = page_list_take(page);
    uint32_t count = spread(page, chain, model->is_out);
    assert_int_equal(count, chain.count);
    model->out += count;
    return;
  }
  uint32_t index = any_block_out(model, random);
  if (choice < 5) {
    page_list_return(page, block_chain_of(block_at(page, index)));
  } else if (choice < 7) {
    remote_free(page, block_at(page, index));
  } else {
    struct outgoing outgoing = {0};
    remote_gather(&outgoing, page, block_chain_of(block_at(page, index)));
    remote_flush(&outgoing);
  }
  model->is_out[index] = false;
  model->out--;
}

static void the_counts_stay_right_in_any_order(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  static const size_t sizes[] = {16, 160, 1280, 4096};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    static struct model model;
    model = (struct model){.page = page_of(sizes[i])};
    for (size_t j = 0; j < 20000; j++) {
      step(&model, &random);
      assert_int_equal(page_used(model.page) - remote_count(model.page), model.out);
      assert_int_equal(page_list_is_unused(model.page), model.out == 0);
      assert_int_equal(page_list_has_free(model.page), model.out < model.page->capacity);
      page_list_assert_valid(model.page);
    }
    fixture_drop(model.page);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(blocks_are_carved_one_os_page_at_a_time),
      FIXTURE_TEST(blocks_that_were_returned_come_back_together),
      FIXTURE_TEST(blocks_that_others_freed_come_after_those_returned),
      FIXTURE_TEST(blocks_that_were_not_used_can_be_returned),
      FIXTURE_TEST(each_return_counts_and_the_last_leaves_the_page_unused),
      FIXTURE_TEST(what_came_before_a_return_is_seen_after_it),
      FIXTURE_TEST(a_page_is_unused_when_every_block_was_freed_by_whomever),
      FIXTURE_TEST(free_blocks_are_marked_wherever_they_wait),
      FIXTURE_TEST(a_link_to_where_no_block_is_ends_the_process),
      FIXTURE_TEST(the_counts_stay_right_in_any_order),
  };
  fixture_start();
  return SUITE_RUN(tests);
}
