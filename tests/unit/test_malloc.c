// SPDX-License-Identifier: MIT
//
// The malloc family from inside: which calls take the fast path, when a block stays where it is,
// and what of an old block's contents can come back in a new one.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <string.h>

#include "../support/sizes.h"
#include "base/size_class.h"
#include "core/chunk.h"
#include "core/heap.h"
#include "mend/mend.h"
#include "os/memory.h"

static struct page *page_of(const void *block)
{
  return page_first(page_at(block));
}

static struct bin *bin_for(size_t size)
{
  return heap_bin(heap_current, size_class_of(size));
}

static void a_small_request_takes_the_first_block_of_its_bin(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) return;                     // a checker's sizes never take the fast path
  for (size_t size = 0; size <= 1024; size += 13) {  // of which several fit into an os page
    void *refilling = mend_malloc(size);
    struct bin *bin = bin_for(size);
    struct block *first = bin->first;
    if (first == NULL) {
      mend_free(refilling);
      continue;
    }
    struct block *second = block_next(first);
    int32_t room = counter_get(&bin->room);
    assert_ptr_equal(mend_malloc(size), first);
    assert_ptr_equal(bin->first, second);
    assert_int_equal(counter_get(&bin->room), room + 1);
    mend_free(first);
    mend_free(refilling);
  }
}

static void a_freed_block_waits_in_its_bin_and_is_the_next(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) return;
  void *one = mend_malloc(100);
  void *two = mend_malloc(100);
  struct bin *bin = bin_for(100);
  uint32_t used = page_used(page_of(one));
  mend_free(one);
  assert_ptr_equal(bin->first, one);
  assert_int_equal(page_used(page_of(one)), used);  // the page does not know yet
  mend_free(two);
  assert_ptr_equal(bin->first, two);
  assert_ptr_equal(block_next((struct block *)two), one);
  assert_ptr_equal(mend_malloc(100), two);
  assert_ptr_equal(mend_malloc(100), one);
  mend_free(one);
  mend_free(two);
}

static void *allocate_some(void *argument)
{
  void **blocks = argument;
  for (size_t i = 0; i < 8; i++) blocks[i] = mend_malloc(200);
  return NULL;
}

static void the_bin_takes_blocks_of_other_threads_too(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) return;
  void *blocks[8];
  mend_free(mend_malloc(200));  // so that there is room
  threads_run(1, allocate_some, blocks, 0);
  for (size_t i = 0; i < 8; i++) {
    assert_ptr_not_equal(page_heap(page_of(blocks[i])), heap_current);
    mend_free(blocks[i]);
    assert_ptr_equal(bin_for(200)->first, blocks[i]);
  }
  assert_ptr_equal(mend_malloc(200), blocks[7]);
  mend_free(blocks[7]);
}

static void a_medium_request_takes_the_block_that_was_freed_last(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) return;
  for (size_t size = SIZE_CLASS_SMALL_BYTES + 1; size <= SIZE_CLASS_MAX_BYTES; size += 1777) {
    struct shelf *shelf = &heap_current->shelves[size_class_of(size) - SIZE_CLASS_SMALL_COUNT];
    void *one = mend_malloc(size);
    void *two = mend_malloc(size);
    shelf->limit = 2;
    mend_free(one);
    mend_free(two);
    assert_int_equal(shelf->count, 2);
    assert_ptr_equal(mend_malloc(size), two);
    assert_ptr_equal(mend_malloc(size), one);
    assert_int_equal(shelf->count, 0);
    assert_int_equal(mend_malloc_usable_size(one), mend_good_size(size));
    mend_free(one);
    mend_free(two);
    mend_collect(false);
    assert_int_equal(shelf->count, 0);
  }
}

static void medium_blocks_that_were_written_to_come_back_zeroed(void **state)
{
  enum { COUNT = 40 };
  (void)state;
  unsigned char *blocks[COUNT];
  for (size_t size = SIZE_CLASS_SMALL_BYTES + 1; size <= 60000; size += 5555) {
    for (size_t round = 0; round < 3; round++) {
      for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = i % 2 == 0 ? mend_calloc(1, size) : mend_zalloc(size);
        assert_true(is_zero(blocks[i], size));
        memset(blocks[i], 0xff, size);
      }
      for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
    }
  }
}

static void frees_that_no_bin_takes_leave_it_and_errno_alone(void **state)
{
  (void)state;
  static const size_t sizes[] = {5000, 60000, 300000};
  mend_heap *first_class = mend_heap_create();
  for (size_t i = 0; i < 300; i++) {
    void *block = i % 4 < 3 ? mend_malloc(sizes[i % 4]) : mend_heap_malloc(first_class, 100);
    struct bin *none = &heap_current->bins[0];
    errno = 4711;
    mend_free(block);
    assert_int_equal(errno, 4711);
    assert_null(none->first);
    assert_int_equal(counter_get(&none->room), 0);
  }
  mend_heap_destroy(first_class);
}

static void a_bin_that_overflows_leaves_errno_alone(void **state)
{
  enum { COUNT = 1000 };
  (void)state;
  static void *blocks[COUNT];
  for (size_t i = 0; i < COUNT; i++) blocks[i] = mend_malloc(100);
  for (size_t i = 0; i < COUNT; i++) {
    errno = 4711;
    mend_free(blocks[i]);
    assert_int_equal(errno, 4711);
  }
}

// As in the first calls of a thread, and below its last destructors.
static void without_a_heap_a_block_goes_to_its_page(void **state)
{
  (void)state;
  void *small = mend_malloc(300);
  void *medium = mend_malloc(30000);
  struct page *page = page_of(small);
  uint32_t count = remote_count(page);
  uint32_t index = page_block_index(page_of(medium), medium);
  struct heap *own = heap_current;
  heap_current = &heap_empty;
  mend_free(small);
  mend_free(medium);
  mend_free(NULL);
  heap_current = own;
  assert_int_equal(remote_count(page), count + 1);
  assert_false(page_kind(page_of(medium)) == PAGE_BITMAP &&
               page_bitmap_is_live(page_of(medium), index));
  for (unsigned i = 0; i <= SIZE_CLASS_SMALL_COUNT; i++) {
    assert_null(heap_empty.bins[i].first);
    assert_int_equal(counter_get(&heap_empty.bins[i].room), 0);
  }
}

static void every_size_is_usable_as_good_size_says(void **state)
{
  (void)state;
  for (size_t size = 0; size <= 140000; size += size < 5000 ? 1 : 97) {
    void *block = mend_malloc(size);
    assert_int_equal(mend_malloc_usable_size(block), mend_good_size(size));
    assert_true(mend_good_size(size) >= size);
    mend_free(block);
  }
  assert_int_equal(mend_good_size(SIZE_MAX), SIZE_MAX);
  assert_int_equal(mend_good_size(PTRDIFF_MAX), PTRDIFF_MAX);
  assert_int_equal(mend_malloc_usable_size(NULL), 0);
}

static void zeroed_blocks_are_zero_after_any_history(void **state)
{
  enum { SLOTS = 40 };
  (void)state;
  static unsigned char *blocks[SLOTS];
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(20000); i++) {
    unsigned char **block = &blocks[random_below(&random, SLOTS)];
    size_t size = random_size(&random, i % 50 == 0 ? 2 * MIB : 50000);
    mend_free(*block);
    size_t choice = random_below(&random, 4);
    if (choice == 0) {
      *block = mend_malloc(size);
    } else if (choice == 1) {
      *block = mend_realloc(mend_malloc(size / 2 + 1), size);
    } else {
      *block = choice == 2 ? mend_zalloc(size) : mend_calloc(size / 8 + 1, 8);
      assert_true(is_zero(*block, size));
    }
    memset(*block, 0xff, mend_malloc_usable_size(*block));
    if (i % 500 == 0) mend_malloc_trim(i % 1000 == 0 ? 0 : MIB);
  }
  for (size_t i = 0; i < SLOTS; i++) mend_free(blocks[i]);
}

// ---------------------------------------------------------------------------------------------
// Resizing.

static void a_block_stays_while_it_is_large_enough_and_well_used(void **state)
{
  (void)state;
  if (TEST_IS_ANNOTATED) return;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    size_t bytes = size_class_bytes(i);
    void *block = mend_malloc(bytes);
    assert_ptr_equal(mend_realloc(block, bytes), block);
    assert_ptr_equal(mend_realloc(block, bytes - bytes / 4), block);
    assert_ptr_equal(mend_realloc(block, bytes), block);
    void *other = mend_realloc(block, bytes / 2);
    assert_int_equal(other == block, bytes <= 64);
    mend_free(other);
  }
}

static void contents_follow_a_block_through_every_size(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT - 2; i++) {
    for (size_t j = 0; j < TEST_SIZE_COUNT - 2; j += 5) {
      size_t before = test_sizes[i];
      size_t after = test_sizes[j] > 0 ? test_sizes[j] : 1;
      size_t kept = before < after ? before : after;
      if (kept > MIB) continue;
      unsigned char *block = mend_malloc(before);
      pattern_fill(block, before, i + j);
      block = mend_realloc(block, after);
      assert_non_null(block);
      assert_int_equal(pattern_difference(block, kept, i + j), kept);
      assert_true(mend_malloc_usable_size(block) >= after);
      mend_free(block);
    }
  }
}

static void a_failed_realloc_leaves_the_block(void **state)
{
  (void)state;
  static const size_t sizes[] = {100, 20000, 300000, 5000000};
  static const size_t too_much[] = {SIZE_MAX, PTRDIFF_MAX, (size_t)1 << 46};
  for (size_t i = 0; i < 4; i++) {
    unsigned char *block = mend_malloc(sizes[i]);
    pattern_fill(block, sizes[i], i);
    for (size_t j = 0; j < 3; j++) {
      errno = 0;
      assert_null(mend_realloc(block, opaque_size(too_much[j])));
      assert_int_equal(errno, ENOMEM);
      errno = 0;
      assert_null(mend_reallocarray(block, opaque_size(too_much[j]), 8));
      assert_int_equal(errno, ENOMEM);
    }
    assert_int_equal(pattern_difference(block, sizes[i], i), sizes[i]);
    mend_free(block);
  }
}

static void expanding_never_moves_and_never_shrinks(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT - 8; i++) {
    unsigned char *block = mend_malloc(test_sizes[i]);
    size_t usable = mend_malloc_usable_size(block);
    memset(block, 0x42, usable);
    errno = 4711;
    assert_ptr_equal(mend_expand(block, usable), block);
    if (usable > 0) assert_ptr_equal(mend_expand(block, 1), block);
    assert_int_equal(mend_malloc_usable_size(block), usable);
    assert_null(mend_expand(block, SIZE_MAX));
    unsigned char *expanded = mend_expand(block, usable + 1);
    assert_true(expanded == NULL || expanded == block);
    if (expanded != NULL) expanded[usable] = 1;
    assert_int_equal(mend_malloc_usable_size(block) > usable, expanded != NULL);
    assert_int_equal(errno, 4711);
    for (size_t j = 0; j < usable; j += 61) assert_int_equal(block[j], 0x42);
    mend_free(block);
  }
  assert_null(mend_expand(NULL, 1));
}

static void a_large_block_grows_in_place_while_nothing_is_behind_it(void **state)
{
  (void)state;
  mend_malloc_trim(0);
  unsigned char *block = mend_malloc(200000);
  unsigned char *grown = block;
  size_t moves = 0;
  for (size_t size = 200000; size < 30 * MIB; size += MIB) {
    unsigned char *next = mend_realloc(grown, size);
    assert_non_null(next);
    moves += next != grown;
    grown = next;
    grown[size - 1] = 1;
  }
  assert_true(moves <= 6);
  mend_free(grown);
}

// ---------------------------------------------------------------------------------------------
// Alignment, owning, trimming.

static void alignments_are_refused_or_rounded_as_each_name_promises(void **state)
{
  (void)state;
  for (size_t alignment = 0; alignment < 200; alignment++) {
    bool is_power = alignment != 0 && (alignment & (alignment - 1)) == 0;
    errno = 0;
    void *aligned = mend_aligned_alloc(alignment, 100);
    assert_int_equal(aligned != NULL, is_power);
    if (!is_power) assert_int_equal(errno, EINVAL);
    mend_free(aligned);
    errno = 4711;
    void *block = &block;
    int result = mend_posix_memalign(&block, alignment, 100);
    assert_int_equal(result, is_power && alignment >= 8 ? 0 : EINVAL);
    assert_int_equal(errno, 4711);
    assert_int_equal(block == &block, result != 0);
    if (result == 0) mend_free(block);
    void *rounded = mend_memalign(alignment, 100);
    size_t power = 1;
    while (power < alignment) power *= 2;
    assert_true(rounded != NULL && is_aligned(rounded, power));
    mend_free(rounded);
  }
  void *block = &block;
  assert_int_equal(mend_posix_memalign(&block, 4096, SIZE_MAX), ENOMEM);
  assert_ptr_equal(block, &block);
  errno = 0;
  assert_null(mend_memalign(SIZE_MAX, 100));
  assert_int_equal(errno, EINVAL);
}

static void whole_os_pages_are_given_where_they_are_promised(void **state)
{
  (void)state;
  for (size_t i = 0; i < TEST_SIZE_COUNT - 4; i++) {
    void *one = mend_valloc(test_sizes[i]);
    void *two = mend_pvalloc(test_sizes[i]);
    assert_true(is_aligned(one, os_page_bytes()) && is_aligned(two, os_page_bytes()));
    assert_true(mend_malloc_usable_size(two) >= os_page_bytes());
    assert_true(TEST_IS_ANNOTATED || mend_malloc_usable_size(two) >= test_sizes[i]);
    mend_free(one);
    mend_free(two);
  }
  errno = 0;
  assert_null(mend_pvalloc(SIZE_MAX));
  assert_int_equal(errno, ENOMEM);
}

static void any_address_may_be_asked_about(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 5000, 60000, 70000, 5000000};
  for (size_t i = 0; i < 5; i++) {
    char *block = mend_malloc(sizes[i]);
    assert_true(mend_owns(block));
    assert_true(mend_owns(block + sizes[i] - 1));
    assert_true(mend_owns(block + sizes[i] / 2));
    mend_free(block);
  }
  assert_false(mend_owns(NULL));
  assert_false(mend_owns(&state));
  assert_false(mend_owns((void *)UINTPTR_MAX));
  assert_false(mend_owns((void *)1));
  assert_false(mend_owns((void *)(uintptr_t)&mend_owns));
}

static void trimming_says_whether_memory_went_back(void **state)
{
  (void)state;
  mend_malloc_trim(0);
  unsigned char *block = mend_malloc(10 * MIB);
  memset(block, 1, 10 * MIB);
  mend_free(block);
  errno = 4711;
  assert_int_equal(mend_malloc_trim(64 * MIB), 0);
  assert_int_equal(mend_malloc_trim(0), 1);
  assert_int_equal(mend_malloc_trim(0), 0);
  assert_int_equal(errno, 4711);
  assert_int_equal(chunk_statistics().dirty_bytes, 0);
}

static void collecting_by_force_returns_everything_that_is_free(void **state)
{
  (void)state;
  static void *blocks[1000];
  for (size_t i = 0; i < 1000; i++) blocks[i] = mend_malloc(i * 50);
  for (size_t i = 0; i < 1000; i++) mend_free(blocks[i]);
  mend_collect(true);
  assert_int_equal(chunk_statistics().dirty_bytes, 0);
  assert_true(chunk_statistics().used_bytes < 4 * MIB);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_small_request_takes_the_first_block_of_its_bin),
      cmocka_unit_test(a_freed_block_waits_in_its_bin_and_is_the_next),
      cmocka_unit_test(the_bin_takes_blocks_of_other_threads_too),
      cmocka_unit_test(a_medium_request_takes_the_block_that_was_freed_last),
      cmocka_unit_test(medium_blocks_that_were_written_to_come_back_zeroed),
      cmocka_unit_test(frees_that_no_bin_takes_leave_it_and_errno_alone),
      cmocka_unit_test(a_bin_that_overflows_leaves_errno_alone),
      cmocka_unit_test(without_a_heap_a_block_goes_to_its_page),
      cmocka_unit_test(every_size_is_usable_as_good_size_says),
      cmocka_unit_test(zeroed_blocks_are_zero_after_any_history),
      cmocka_unit_test(a_block_stays_while_it_is_large_enough_and_well_used),
      cmocka_unit_test(contents_follow_a_block_through_every_size),
      cmocka_unit_test(a_failed_realloc_leaves_the_block),
      cmocka_unit_test(expanding_never_moves_and_never_shrinks),
      cmocka_unit_test(a_large_block_grows_in_place_while_nothing_is_behind_it),
      cmocka_unit_test(alignments_are_refused_or_rounded_as_each_name_promises),
      cmocka_unit_test(whole_os_pages_are_given_where_they_are_promised),
      cmocka_unit_test(any_address_may_be_asked_about),
      cmocka_unit_test(trimming_says_whether_memory_went_back),
      cmocka_unit_test(collecting_by_force_returns_everything_that_is_free),
  };
  return SUITE_RUN(tests);
}
