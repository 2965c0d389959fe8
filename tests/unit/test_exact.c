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
#include "track/tracker_exact.h"

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

static void so_do_calloc_and_a_realloc_that_moves(void **state)
{
  (void)state;
  if (!EXTENT_IS_PLAIN) skip();
  enum { MORE = 10 * SIZE };
  for (size_t i = 0; i < 2; i++) mend_free(mend_malloc(MORE));
  uint32_t before = slow_calls();
  for (size_t i = 0; i < 100; i++) {
    char *block = mend_calloc(SIZE / 8, 8);
    for (size_t j = 0; j < SIZE; j++) assert_int_equal(block[j], 0);
    struct tracker_block known = look(block);
    assert_true(known.is_live && known.size == SIZE && known.kind == KIND_MALLOC);
    memset(block, 'x', SIZE);
    char *moved = mend_realloc(block, MORE);
    assert_ptr_not_equal(moved, block);
    for (size_t j = 0; j < SIZE; j++) assert_int_equal(moved[j], 'x');
    assert_false(look(block).is_live);
    assert_true(look(moved).is_live && look(moved).size == MORE);
    memset(moved, 'y', MORE);
    mend_free(moved);
  }
  assert_int_equal(slow_calls(), before);
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
  for (size_t size = 1; size <= SIZE_CLASS_SMALL_BYTES; size += 7) {
    unsigned char *block = mend_malloc(size);
    struct page *page = page_first(page_around(block));
    memset(block, 0xff, page->block_bytes);
    exact_clear_remains(page, block, size);
    for (size_t i = size; i < page->block_bytes; i++) assert_int_equal(block[i], 0);
    for (size_t i = 0; i < sizeof(void *); i++) assert_int_equal(block[i], 0);
    mend_free(block);
  }
}

// What is allocated below each frame of a recursion, each with a stack of its own, and freed from
// there: more than a thread keeps walks of, and the counts are true.
enum { DEEP = 100, TIMES = 7 };

__attribute__((noinline)) static void allocate_deep(size_t depth, uint32_t stacks[DEEP])
{
  for (size_t i = 0; i < TIMES; i++) {
    char *block = mend_malloc(SIZE);
    struct tracker_block known = look(block);
    assert_true(known.is_live && known.size == SIZE && known.stack != 0);
    assert_true(i == 0 || stacks[depth] == known.stack);
    stacks[depth] = known.stack;
    mend_free(block);
    assert_false(look(block).is_live);
  }
  if (depth + 1 < DEEP) allocate_deep(depth + 1, stacks);
  (void)opaque(__builtin_frame_address(0));  // it has a frame, and is no loop
}

struct counted {
  uint32_t site;
  uint64_t count;
  uint64_t bytes;
};

static void add_counted(uint32_t site, uint64_t count, uint64_t bytes, void *argument)
{
  struct counted *counted = argument;
  if (site != counted->site) return;
  counted->count += count;
  counted->bytes += bytes;
}

static void each_stack_has_its_count(void **state)
{
  (void)state;
  static uint32_t stacks[DEEP];
  volatile size_t rounds = 3;  // so that all are called from one place
  for (size_t i = 0; i < rounds; i++) allocate_deep(0, stacks);
  for (size_t i = 0; i < SITE_DEPTH / 2; i++) {
    if (stacks[i] == stacks[i + 1]) skip();  // no frame pointers
    struct counted counted = {stacks[i], 0, 0};
    struct site_sums total = site_total(site_of(stacks[i]));
    thread_state_each_count(add_counted, &counted);
    assert_int_equal(total.samples + counted.count, 3 * TIMES);
    assert_int_equal(total.bytes + counted.bytes, 3 * TIMES * SIZE);
  }
}

static bool removes(void *address, struct block_claim claim)
{
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  struct tracker_call call = tracker_enter_anew(frame, true);
  CHECK(call.walk != NULL);
  uint64_t units = page_units(address);
  return tracker_remove_exact(call, page_of_units(units), units, &claim);
}

// Each of these is told of there.
static void a_free_that_is_wrong_is_left_to_the_long_way(void **state)
{
  (void)state;
  if (!EXTENT_IS_PLAIN) skip();
  char *block = mend_malloc(SIZE);
  assert_false(removes(block, (struct block_claim){.kind = KIND_NEW}));
  assert_false(removes(
      block, (struct block_claim){.kind = KIND_MALLOC, .has_size = true, .size = SIZE + 1}));
  assert_false(removes(block + 16, (struct block_claim){.kind = KIND_MALLOC}));
  assert_true(look(block).is_live);
  assert_true(removes(block, (struct block_claim){.kind = KIND_MALLOC}));
  struct tracker_block freed = look(block);
  assert_true(!freed.is_live && freed.free_stack != 0 && freed.free_thread == freed.thread);
  assert_false(removes(block, (struct block_claim){.kind = KIND_MALLOC}));
}

// A signal handler that has interrupted the thread in there has no state.
static void who_is_inside_does_not_come_in_again(void **state)
{
  (void)state;
  if (!EXTENT_IS_PLAIN) skip();
  struct thread_state *own = thread_state_enter();
  assert_non_null(own);
  assert_null(tracker_enter((uintptr_t)__builtin_frame_address(0), false).walk);
  assert_null(tracker_enter_anew((uintptr_t)__builtin_frame_address(0), false).walk);
  char *block = mend_malloc(SIZE);
  struct tracker_block known = look(block);
  assert_true(known.is_live && known.size == SIZE && known.stack != 0);
  mend_free(block);
  thread_state_leave(own);
  struct tracker_block freed = look(block);
  assert_true(!freed.is_live && freed.free_stack != 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_lies_ready_takes_the_short_way, begin, end),
      cmocka_unit_test_setup_teardown(so_do_calloc_and_a_realloc_that_moves, begin, end),
      cmocka_unit_test_setup_teardown(blocks_are_known, begin, end),
      cmocka_unit_test_setup_teardown(what_is_not_known_takes_the_long_way, begin, end),
      cmocka_unit_test_setup_teardown(remains_are_cleared, begin, end),
      cmocka_unit_test_setup_teardown(each_stack_has_its_count, begin, end),
      cmocka_unit_test_setup_teardown(a_free_that_is_wrong_is_left_to_the_long_way, begin, end),
      cmocka_unit_test_setup_teardown(who_is_inside_does_not_come_in_again, begin, end),
  };
  return SUITE_RUN(tests);
}
