// SPDX-License-Identifier: MIT
//
// First-class heaps from inside: they are shared heaps of the core, their pages and large blocks
// know them, and the visitor meets each block exactly once.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <string.h>

#include "../support/sizes.h"
#include "base/options.h"
#include "core/chunk.h"
#include "core/registry.h"
#include "mend/mend.h"
#include "os/system.h"

enum { COUNT = TEST_SIZE_COUNT - 6 };

static struct heap *core_of(mend_heap *heap)
{
  return (struct heap *)(void *)heap;
}

static void assert_valid(mend_heap *heap)
{
  heap_enter(core_of(heap));
  heap_assert_valid(core_of(heap));
  heap_leave(core_of(heap));
}

static void a_heap_is_a_shared_heap_of_the_core(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  assert_non_null(heap);
  assert_int_equal(heap_owner(core_of(heap)), OWNER_SHARED);
  for (size_t i = 0; i < COUNT; i++) {
    void *block = mend_heap_malloc(heap, test_sizes[i]);
    struct page *page = page_first(page_at(block));
    assert_ptr_equal(page_heap(page), core_of(heap));
    assert_int_equal(page_at(block)->bin_offset, 0);  // a free must not take the fast path
    assert_valid(heap);
  }
  mend_heap_destroy(heap);
}

struct seen {
  char **blocks;
  size_t times[2 * COUNT];
  size_t strangers;
};

static bool see(void *block, size_t usable_size, void *argument)
{
  struct seen *seen = argument;
  for (size_t i = 0; i < 2 * COUNT; i++) {
    if (seen->blocks[i] != block) continue;
    CHECK(usable_size >= test_sizes[i / 2]);
    seen->times[i]++;
    return true;
  }
  seen->strangers++;
  return true;
}

static void the_visitor_meets_each_block_once_and_no_other(void **state)
{
  (void)state;
  static char *blocks[2 * COUNT];
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 2 * COUNT; i++) blocks[i] = mend_heap_malloc(heap, test_sizes[i / 2]);
  for (size_t i = 0; i < 2 * COUNT; i += 3) mend_free(blocks[i]);
  struct seen seen = {.blocks = blocks};
  assert_true(mend_heap_visit(heap, see, &seen));
  for (size_t i = 0; i < 2 * COUNT; i++) assert_int_equal(seen.times[i], i % 3 != 0);
  assert_int_equal(seen.strangers, 0);
  mend_heap_destroy(heap);
}

static bool count_and_stop(void *block, size_t usable_size, void *argument)
{
  (void)block, (void)usable_size;
  return --*(size_t *)argument > 0;
}

static void a_visit_ends_when_it_is_told_to(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 4; i++) assert_non_null(mend_heap_malloc(heap, 20000 + 100000 * (i / 2)));
  for (size_t stop = 1; stop <= 4; stop++) {
    size_t left = stop;
    assert_false(mend_heap_visit(heap, count_and_stop, &left));
    assert_int_equal(left, 0);
  }
  size_t left = 5;
  assert_true(mend_heap_visit(heap, count_and_stop, &left));
  mend_heap_destroy(heap);
}

static void a_thread_without_a_heap_has_nothing_to_visit(void **state)
{
  (void)state;
  struct heap *own = heap_current;
  heap_current = &heap_empty;
  size_t left = 1;
  assert_true(mend_heap_visit(NULL, count_and_stop, &left));
  assert_int_equal(left, 1);
  heap_current = own;
}

static void owning_is_asked_of_any_address_of_a_block(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  mend_heap *other = mend_heap_create();
  static const size_t sizes[] = {100, 20000, 60000, 300000, 5000000};
  for (size_t i = 0; i < 5; i++) {
    char *block = mend_heap_malloc(heap, sizes[i]);
    char *foreign = mend_malloc(sizes[i]);
    for (size_t at = 0; at < sizes[i]; at += sizes[i] / 7 + 1) {
      assert_true(mend_heap_owns(heap, block + at));
      assert_false(mend_heap_owns(other, block + at));
      assert_false(mend_heap_owns(heap, foreign + at));
    }
    mend_free(foreign);
  }
  assert_false(mend_heap_owns(heap, NULL));
  assert_false(mend_heap_owns(heap, (void *)UINTPTR_MAX));
  mend_heap_destroy(other);
  mend_heap_destroy(heap);
}

static void collecting_gives_free_pages_back(void **state)
{
  (void)state;
  static void *blocks[COUNT];
  mend_heap *heap = mend_heap_create();
  mend_collect(true);
  size_t used = chunk_statistics().used_bytes;
  for (size_t i = 0; i < COUNT; i++) blocks[i] = mend_heap_malloc(heap, test_sizes[i]);
  for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
  errno = 4711;
  mend_heap_collect(heap);
  assert_int_equal(errno, 4711);
  assert_int_equal(chunk_statistics().used_bytes, used);
  assert_non_null(mend_heap_malloc(heap, 100));
  assert_valid(heap);
  mend_heap_destroy(heap);
  assert_int_equal(errno, 4711);
  assert_int_equal(chunk_statistics().used_bytes, used);
  mend_heap_destroy(NULL);
}

// A thread that uses nothing but first-class heaps lets time pass, too.
static void what_ended_heaps_leave_is_returned_in_time(void **state)
{
  (void)state;
  struct options before = options;
  options.purge_delay = 1;
  mend_collect(true);
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 4096; i++) memset(mend_heap_malloc(heap, 1000), 1, 1000);
  mend_heap_destroy(heap);
  size_t left = chunk_statistics().dirty_bytes;
  assert_true(left > 2 * MIB);
  for (size_t i = 0; i < 100000 && chunk_statistics().dirty_bytes > left / 2; i++) {
    heap = mend_heap_create();
    mend_free(mend_heap_malloc(heap, 100));
    mend_heap_destroy(heap);
    if (i % 100 == 0) os_sleep_ms(1);
  }
  assert_true(chunk_statistics().dirty_bytes <= left / 2);
  options = before;
}

static void what_cannot_be_is_refused(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  errno = 0;
  assert_null(mend_heap_calloc(heap, opaque_size(SIZE_MAX / 2), 3));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_null(mend_heap_aligned_alloc(heap, opaque_size(24), 100));
  assert_int_equal(errno, EINVAL);
  errno = 0;
  assert_null(mend_heap_malloc(heap, opaque_size(SIZE_MAX)));
  assert_int_equal(errno, ENOMEM);
  mend_heap_destroy(heap);
}

static void blocks_stay_at_home_when_they_are_resized(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < COUNT; i++) {
    char *block = mend_heap_realloc(heap, NULL, 900);
    pattern_fill(block, 900, i);
    size_t size = test_sizes[i] > 0 ? test_sizes[i] : 1;
    size_t kept = size < 900 ? size : 900;
    block = mend_realloc(block, size);
    assert_true(mend_heap_owns(heap, block));
    assert_int_equal(pattern_difference(block, kept, i), kept);
  }
  assert_valid(heap);
  mend_heap_destroy(heap);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_heap_is_a_shared_heap_of_the_core),
      cmocka_unit_test(the_visitor_meets_each_block_once_and_no_other),
      cmocka_unit_test(a_visit_ends_when_it_is_told_to),
      cmocka_unit_test(a_thread_without_a_heap_has_nothing_to_visit),
      cmocka_unit_test(owning_is_asked_of_any_address_of_a_block),
      cmocka_unit_test(collecting_gives_free_pages_back),
      cmocka_unit_test(what_ended_heaps_leave_is_returned_in_time),
      cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(blocks_stay_at_home_when_they_are_resized),
  };
  return SUITE_RUN(tests);
}
