// SPDX-License-Identifier: MIT
//
// The short way of exact mode: that it is taken, and that blocks are known by it as by the long
// one.
#include "api/exact.h"

#include <string.h>

#include "../support/suite.h"
#include "api/extent.h"
#include "core/heap.h"
#include "mend/mend.h"
#include "mend/track.h"
#include "track/tracker.h"

enum { SIZE = 72, BLOCKS = 40 };

static int begin(void **state)
{
  (void)state;
  if (!mend_profile_start(MEND_PROFILE_EXACT)) return 1;
  void *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mend_malloc(SIZE);
  for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks[i]);
  return 0;
}

static int end(void **state)
{
  (void)state;
  mend_profile_stop();
  return 0;
}

static uint32_t slow_calls(void)
{
  return atomic_load(&heap_current->slow_calls);
}

static struct tracker_block look(void *block)
{
  struct tracker_block known;
  CHECK(tracker_look(page_first(page_around(block)), block, &known) && known.block == block);
  return known;
}

static void what_lies_ready_takes_the_short_way(void **state)
{
  (void)state;
  if (!EXTENT_IS_PLAIN) skip();
  uint32_t before = slow_calls();
  for (size_t i = 0; i < 1000; i++) mend_free(mend_malloc(SIZE));
  assert_int_equal(slow_calls(), before);
}

static void blocks_are_known(void **state)
{
  (void)state;
  char *block = mend_malloc(SIZE);
  struct tracker_block known = look(block);
  assert_true(known.is_live && known.size == SIZE && known.kind == KIND_MALLOC);
  assert_true(known.stack != 0 && known.thread != 0 && known.weight == 0);
  mend_free_sized(block, SIZE);
  struct tracker_block freed = look(block);
  assert_true(!freed.is_live && freed.size == SIZE && freed.stack == known.stack);
  assert_true(freed.free_stack != 0 && freed.free_stack != known.stack);
  assert_int_equal(freed.free_thread, known.thread);
}

// Blocks that have been handed out before the mode began, and those that outlive it.
static void what_is_not_known_takes_the_long_way(void **state)
{
  (void)state;
  mend_profile_stop();
  void *before = mend_malloc(SIZE);
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  mend_free(before);
  void *during = mend_malloc(SIZE);
  mend_profile_stop();
  mend_free(during);
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  mend_free(mend_malloc(SIZE));
}

static void remains_are_cleared(void **state)
{
  (void)state;
  if (!EXTENT_IS_PLAIN) skip();
  for (size_t size = 1; size <= 600; size += 7) {
    unsigned char *block = mend_malloc(size);
    struct page *page = page_first(page_around(block));
    memset(block, 0xff, page->block_bytes);
    exact_clear_remains(page, block, size);
    for (size_t i = size; i < page->block_bytes; i++) assert_int_equal(block[i], 0);
    for (size_t i = 0; i < sizeof(void *) && i < size; i++) assert_int_equal(block[i], 0);
    if (size > 32) assert_int_equal(block[size / 16 * 16 - 1], 0xff);
    mend_free(block);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_lies_ready_takes_the_short_way, begin, end),
      cmocka_unit_test_setup_teardown(blocks_are_known, begin, end),
      cmocka_unit_test_setup_teardown(what_is_not_known_takes_the_long_way, begin, end),
      cmocka_unit_test_setup_teardown(remains_are_cleared, begin, end),
  };
  return SUITE_RUN(tests);
}
