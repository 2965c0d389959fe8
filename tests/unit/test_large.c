// SPDX-License-Identifier: MIT
//
// Large blocks in the library's own region: what they hold and cost, how they grow, shrink and
// move, and that nothing of one block's contents is left for the next one that is told to be zero.
#define _GNU_SOURCE 1
#include "child.h"

#include <pthread.h>

#include "base/options.h"
#include "core/chunk.h"
#include "core/mapping.h"
#include "core/runs.h"
#include "core/large.h"
#include "os/memory.h"
#include "touch.h"

static size_t os_page;
static struct options initial_options;

static int start(void **state)
{
  (void)state;
  os_memory_init(0, false);
  os_page = os_page_bytes();
  options.region = GIB;
  options.retain_bytes = 256 * MIB;
  initial_options = options;
  heap_init(&heap_empty, OWNER_NOBODY, &chunk_source);
  return chunk_init() ? 0 : -1;
}

static size_t live_bytes(void)
{
  return atomic_load(&heap_empty.large_bytes);
}

// Before each test: whatever one that failed has left.
static int free_everything(void **state)
{
  (void)state;
  for (size_t i = 0; i < runs_frontier(); i++) {
    struct page *page = &region.pages[i];
    if (page_kind(page) == PAGE_LARGE) (void)large_free(page);
  }
  chunk_purge(0);
  return 0;
}

static int check_clean(void **state)
{
  (void)state;
  options = initial_options;
  chunk_purge(0);
  chunk_assert_valid();
  bool is_clean = live_bytes() == 0 && atomic_load(&heap_empty.large_blocks) == 0;
  return is_clean && chunk_statistics().used_bytes == 0 ? 0 : -1;
}

// A block all of whose memory a checker allows to touch.
static char *allocate_aligned(size_t size, size_t alignment, bool *is_clean)
{
  char *block = large_allocate(NULL, size, alignment, is_clean);
  if (block != NULL) allow_touch(block, page_at(block)->slices * SLICE_BYTES);
  return block;
}

static char *allocate(size_t size)
{
  char *block = allocate_aligned(size, 16, NULL);
  CHECK(block != NULL);
  return block;
}

static struct page *page_of(const void *block)
{
  struct page *page = page_at(block);
  CHECK(page != NULL && page_kind(page) == PAGE_LARGE && page_start(page) == block);
  return page;
}

static void free_block(void *block)
{
  CHECK(large_free(page_of(block)));
}

static bool resize(char *block, size_t size)
{
  bool is_resized = large_resize(page_of(block), size);
  allow_touch(block, page_of(block)->slices * SLICE_BYTES);
  return is_resized;
}

static size_t rounded(size_t size, size_t to)
{
  return (size + to - 1) / to * to;
}

static const size_t sizes[] = {65537,   100000,  131072,  131073,   262144,  1000000,
                               4194303, 4194304, 4194305, 10000000, 33554432};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static void a_block_holds_its_size_rounded_up_to_the_os_page(void **state)
{
  (void)state;
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    bool is_clean = false;
    char *block = allocate_aligned(sizes[i], 16, &is_clean);
    assert_non_null(block);
    assert_int_equal(page_of(block)->block_bytes, rounded(sizes[i], os_page));
    assert_int_equal(page_of(block)->slices, rounded(sizes[i], SLICE_BYTES) / SLICE_BYTES);
    assert_int_equal(live_bytes(), rounded(sizes[i], os_page));
    assert_int_equal(atomic_load(&heap_empty.large_blocks), 1);
    if (is_clean) assert_true(is_zero(block, sizes[i]));
    memset(block, 1, page_of(block)->block_bytes);
    free_block(block);
  }
}

static void any_alignment_is_kept(void **state)
{
  (void)state;
  for (size_t alignment = 16; alignment <= 64 * MIB; alignment *= 2) {
    char *first = allocate_aligned(70000, alignment, NULL);
    char *second = allocate_aligned(5000000, alignment, NULL);
    assert_non_null(first);
    assert_non_null(second);
    assert_true(is_aligned(first, alignment) && is_aligned(second, alignment));
    memset(second, 1, 5000000);
    free_block(first);
    free_block(second);
  }
}

static void blocks_of_4_mib_start_at_a_huge_page(void **state)
{
  (void)state;
  char *wedge = allocate(65537);
  char *block = allocate(TUNING_HUGE_BYTES);
  assert_true(is_aligned(block, HUGE_PAGE_BYTES));
  free_block(wedge);
  free_block(block);
}

static void what_no_address_space_could_hold_is_refused(void **state)
{
  (void)state;
  assert_null(allocate_aligned(PTRDIFF_MAX, 16, NULL));
  assert_null(allocate_aligned((size_t)1 << 47, 16, NULL));
  assert_null(large_allocate(NULL, 100000, (size_t)1 << 61, NULL));
  assert_null(allocate_aligned(2 * GIB, 16, NULL));
  char *block = allocate(100000);
  assert_false(resize(block, PTRDIFF_MAX - SLICE_BYTES));
  assert_false(resize(block, 2 * GIB));
  assert_null(large_move(page_of(block), 2 * GIB));
  assert_int_equal(page_of(block)->block_bytes, rounded(100000, os_page));
  free_block(block);
}

static void a_second_free_is_refused(void **state)
{
  (void)state;
  struct page *page = page_of(allocate(100000));
  assert_true(large_free(page));
  assert_false(large_free(page));
}

static _Atomic(size_t) successes;

static void *free_racing(void *page)
{
  if (large_free(page)) successes++;
  return NULL;
}

static void of_two_racing_frees_one_succeeds(void **state)
{
  (void)state;
  for (size_t i = 0; i < test_scaled(200); i++) {
    struct page *page = page_of(allocate(100000));
    successes = 0;
    threads_run(2, free_racing, page, 0);
    assert_int_equal(successes, 1);
  }
}

// ---------------------------------------------------------------------------------------------
// Resizing.

static void a_block_grows_where_it_is_into_free_slices(void **state)
{
  (void)state;
  char *block = allocate(100000);
  pattern_fill(block, 100000, 1);
  for (size_t size = 100000; size < 8000000; size += size / 3) {
    assert_true(resize(block, size));
    assert_int_equal(page_of(block)->block_bytes, rounded(size, os_page));
    assert_int_equal(live_bytes(), rounded(size, os_page));
    if (size > 100000) memset(block + 100000, 1, size - 100000);
    assert_int_equal(pattern_difference(block, 100000, 1), 100000);
  }
  free_block(block);
}

static void a_block_does_not_grow_over_its_neighbour(void **state)
{
  (void)state;
  char *block = allocate(3 * SLICE_BYTES - 5000);
  char *neighbour = allocate(100000);
  assert_ptr_equal(neighbour, block + 3 * SLICE_BYTES);
  assert_true(resize(block, 3 * SLICE_BYTES));
  assert_false(resize(block, 3 * SLICE_BYTES + 1));
  assert_int_equal(page_of(block)->block_bytes, 3 * SLICE_BYTES);
  free_block(neighbour);
  assert_true(resize(block, 3 * SLICE_BYTES + 1));
  free_block(block);
}

static void a_block_that_shrinks_gives_its_slices_back(void **state)
{
  (void)state;
  char *block = allocate(4000000);
  pattern_fill(block, 4000000, 2);
  for (size_t size = 2000000; size > 70000; size /= 2) {
    assert_true(resize(block, size));
    assert_int_equal(page_of(block)->block_bytes, rounded(size, os_page));
    assert_int_equal(chunk_statistics().used_bytes, rounded(size, SLICE_BYTES));
    assert_int_equal(live_bytes(), rounded(size, os_page));
    assert_int_equal(pattern_difference(block, size, 2), size);
    chunk_assert_valid();
  }
  free_block(block);
}

static void a_block_that_shrinks_by_less_than_an_eighth_stays_as_it_is(void **state)
{
  (void)state;
  char *block = allocate(1000000);
  size_t calls = os_memory_call_count();
  assert_true(resize(block, 900000));
  assert_int_equal(os_memory_call_count(), calls);
  assert_int_equal(page_of(block)->block_bytes, rounded(1000000, os_page));
  free_block(block);
}

// ---------------------------------------------------------------------------------------------
// Moving.

// Where a checker is told of each block the library moves none.
static void skip_if_nothing_moves(void)
{
  if (TEST_IS_ANNOTATED) skip();
}

// Moves a block to where it can hold `size` bytes and checks that all of its contents came along.
static char *move(char *block, size_t size)
{
  size_t bytes = page_of(block)->block_bytes;
  pattern_fill(block, bytes, 3);
  char *moved = large_move(page_of(block), size);
  if (moved == NULL) return NULL;
  CHECK(moved != block && pattern_difference(moved, bytes, 3) == bytes);
  CHECK(page_of(moved)->block_bytes == rounded(size, os_page));
  CHECK(page_kind(page_at(block)) != PAGE_LARGE);
  memset(moved, 1, page_of(moved)->block_bytes);
  return moved;
}

static void a_block_is_moved_with_its_contents(void **state)
{
  (void)state;
  skip_if_nothing_moves();
  for (size_t bytes = 262144; bytes < 30 * MIB; bytes += bytes / 2 + 5000) {
    char *block = allocate(bytes);
    char *wall = allocate(100000);
    char *moved = move(block, 2 * bytes);
    assert_non_null(moved);
    char *again = move(moved, 3 * bytes);
    assert_non_null(again);
    free_block(again);
    free_block(wall);
  }
}

// The places that these blocks move to are free, and count as dirty: there is memory in a small
// part of one, and in none of the other.
static void a_block_is_not_copied_to_where_there_is_no_memory(void **state)
{
  (void)state;
  skip_if_nothing_moves();
  options.retain_bytes = 64 * MIB;
  for (size_t touched = 0; touched <= MIB; touched += MIB) {
    size_t room = 18 * MIB;
    char *first = allocate(touched > 0 ? touched : room);
    char *rest = touched > 0 ? allocate(room - touched) : NULL;
    char *block = allocate(15 * MIB);
    char *wall = allocate(100000);
    memset(first, 1, touched);
    block[0] = 5;
    if (rest != NULL) free_block(rest);
    chunk_purge(0);
    free_block(first);
    char *moved = large_move(page_of(block), 17 * MIB);
    assert_true(moved != NULL && moved[0] == 5);
    assert_true(os_memory_resident_bytes(moved, 15 * MIB) < 5 * MIB);
    free_block(moved);
    free_block(wall);
    chunk_purge(0);
  }
}

static void a_small_block_is_not_worth_a_move(void **state)
{
  (void)state;
  char *block = allocate(TUNING_MOVE_BYTES - os_page);
  assert_null(large_move(page_of(block), 3000000));
  free_block(block);
}

static void without_room_for_both_a_block_stays(void **state)
{
  (void)state;
  char *block = allocate(1000000);
  options.limit = chunk_statistics().used_bytes + MIB;
  assert_null(large_move(page_of(block), 3000000));
  free_block(block);
}

// Takes what is free, and then lets the kernel refuse whatever it is asked for.
static void move_above_the_limit(void)
{
  char *block = allocate(MIB);
  char *wall = allocate(100000);
  free_block(allocate(40 * MIB));
  chunk_purge(0);
  pattern_fill(block, MIB, 7);
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){MIB, MIB}) == 0);
  size_t live = live_bytes();
  char *moved = large_move(page_of(block), 3 * MIB);
  if (moved == NULL) {
    CHECK(live_bytes() == live && pattern_difference(block, MIB, 7) == MIB);
    moved = large_move(page_of(block), 3 * MIB);  // now it is copied
  }
  CHECK(moved != NULL && pattern_difference(moved, MIB, 7) == MIB);
  CHECK(live_bytes() == live + 2 * MIB);
  memset(moved, 1, 3 * MIB);
  free_block(moved);
  free_block(wall);
  chunk_assert_valid();
}

static void a_block_that_the_kernel_refuses_to_move_stays_whole(void **state)
{
  (void)state;
  if (test_is_instrumented()) skip();  // the checker itself needs address space
  child_check(move_above_the_limit);
}

static void without_mappings_to_spend_a_block_is_copied_or_stays(void **state)
{
  (void)state;
  skip_if_nothing_moves();
  char *block = allocate(1000000);
  size_t mappings = chunk_statistics().mapping_count;
  options.map_budget = mappings + 1;
  char *moved = move(block, 3000000);
  assert_int_equal(chunk_statistics().mapping_count, mappings);
  free_block(moved != NULL ? moved : block);
}

static void mappings_are_given_back_with_the_memory(void **state)
{
  (void)state;
  skip_if_nothing_moves();
  for (size_t i = 0; i < 50; i++) {
    char *block = allocate(8 * MIB);  // asks for huge pages
    char *wall = allocate(100000);
    char *moved = move(block, 20 * MIB);
    assert_non_null(moved);
    free_block(moved);
    free_block(wall);
    chunk_purge(0);
  }
  assert_true(chunk_statistics().mapping_count < 50);
}

static void no_more_mappings_are_given_back_than_were_spent(void **state)
{
  (void)state;
  for (size_t i = 0; i < 10; i++) {
    char *pieces[32];
    free_block(allocate(8 * MIB));  // asks for huge pages
    for (size_t j = 0; j < 32; j++) pieces[j] = allocate(262144);
    for (size_t j = 0; j < 32; j += 2) free_block(pieces[j]);
    chunk_purge(0);
    for (size_t j = 1; j < 32; j += 2) free_block(pieces[j]);
    chunk_purge(0);
    assert_true(chunk_statistics().mapping_count < 10000);
  }
}

// Makes the next runs hold what is not zero.
static void soil(size_t bytes)
{
  char *block = allocate(bytes);
  memset(block, 0x5a, bytes);
  free_block(block);
}

static void what_is_left_behind_by_a_move_is_never_taken_for_zero(void **state)
{
  (void)state;
  skip_if_nothing_moves();
  size_t size = 5 * SLICE_BYTES + os_page;  // most of the last slice belongs to nobody
  soil(6 * SLICE_BYTES);
  char *block = allocate(size);
  char *wall = allocate(100000);
  char *moved = move(block, 10 * size);
  assert_non_null(moved);
  for (size_t i = 0; i < 100; i++) {
    bool is_clean = false;
    char *next = allocate_aligned(6 * SLICE_BYTES, 16, &is_clean);
    assert_non_null(next);
    if (is_clean) assert_true(is_zero(next, 6 * SLICE_BYTES));
    if (next == block) break;
  }
  free_block(wall);
  free_everything(state);
}

static void what_is_said_to_be_zero_is_through_any_history(void **state)
{
  enum { BLOCKS = 12 };
  (void)state;
  static char *blocks[BLOCKS];
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(3000); i++) {
    char **block = &blocks[random_below(&random, BLOCKS)];
    size_t size = SIZE_CLASS_MAX_BYTES + 1 + random_below(&random, 1000000);
    size_t choice = random_below(&random, 8);
    if (choice == 0) chunk_purge(MIB);
    if (*block == NULL) {
      bool is_clean = false;
      *block = allocate_aligned(size, 16, &is_clean);
      assert_non_null(*block);
      if (is_clean) assert_true(is_zero(*block, size));
    } else if (choice < 4) {
      free_block(*block);
      *block = NULL;
      continue;
    } else if (choice < 6) {
      (void)resize(*block, size);
    } else {
      bool is_longer = size > page_of(*block)->block_bytes && !TEST_IS_ANNOTATED;
      char *moved = is_longer ? large_move(page_of(*block), size) : NULL;
      if (moved != NULL) *block = moved;
    }
    memset(*block, 0x77, page_of(*block)->block_bytes);
  }
  for (size_t i = 0; i < BLOCKS; i++) {
    if (blocks[i] != NULL) free_block(blocks[i]);
  }
}

// ---------------------------------------------------------------------------------------------
// First-class heaps and misuse.

static void the_blocks_of_a_heap_end_with_it(void **state)
{
  (void)state;
  static struct heap heap;
  heap_init(&heap, OWNER_SHARED, &chunk_source);
  char *others = allocate(100000);
  char *blocks[10];
  for (size_t i = 0; i < 10; i++) {
    blocks[i] = large_allocate(&heap, 300000, 16, NULL);
    assert_ptr_equal(page_heap(page_of(blocks[i])), &heap);
  }
  free_block(blocks[4]);
  char *moved = TEST_IS_ANNOTATED ? NULL : large_move(page_of(blocks[5]), 3000000);
  if (moved != NULL) assert_ptr_equal(page_heap(page_of(moved)), &heap);
  heap_enter(&heap);
  large_free_all(&heap);
  heap_leave(&heap);
  assert_true(list_is_empty(&heap.large));
  assert_int_equal(live_bytes(), rounded(100000, os_page));
  free_block(others);
}

static void the_block_around_an_address_is_found(void **state)
{
  (void)state;
  char *block = allocate(10 * SLICE_BYTES);
  char *wall = allocate(100000);
  for (size_t i = 0; i < 10; i++) {
    assert_ptr_equal(large_around(page_at(block + i * SLICE_BYTES)), page_of(block));
  }
  assert_ptr_equal(large_around(page_at(wall)), page_of(wall));
  free_block(block);
  for (size_t i = 0; i < 10; i++) assert_null(large_around(page_at(block + i * SLICE_BYTES)));
  free_block(wall);
}

#define LARGE_TEST(function) cmocka_unit_test_setup_teardown(function, free_everything, check_clean)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      LARGE_TEST(a_block_holds_its_size_rounded_up_to_the_os_page),
      LARGE_TEST(any_alignment_is_kept),
      LARGE_TEST(blocks_of_4_mib_start_at_a_huge_page),
      LARGE_TEST(what_no_address_space_could_hold_is_refused),
      LARGE_TEST(a_second_free_is_refused),
      LARGE_TEST(of_two_racing_frees_one_succeeds),
      LARGE_TEST(a_block_grows_where_it_is_into_free_slices),
      LARGE_TEST(a_block_does_not_grow_over_its_neighbour),
      LARGE_TEST(a_block_that_shrinks_gives_its_slices_back),
      LARGE_TEST(a_block_that_shrinks_by_less_than_an_eighth_stays_as_it_is),
      LARGE_TEST(a_block_is_moved_with_its_contents),
      LARGE_TEST(a_block_is_not_copied_to_where_there_is_no_memory),
      LARGE_TEST(a_small_block_is_not_worth_a_move),
      LARGE_TEST(without_room_for_both_a_block_stays),
      LARGE_TEST(a_block_that_the_kernel_refuses_to_move_stays_whole),
      LARGE_TEST(without_mappings_to_spend_a_block_is_copied_or_stays),
      LARGE_TEST(mappings_are_given_back_with_the_memory),
      LARGE_TEST(no_more_mappings_are_given_back_than_were_spent),
      LARGE_TEST(what_is_left_behind_by_a_move_is_never_taken_for_zero),
      LARGE_TEST(what_is_said_to_be_zero_is_through_any_history),
      LARGE_TEST(the_blocks_of_a_heap_end_with_it),
      LARGE_TEST(the_block_around_an_address_is_found),
  };
  return cmocka_run_group_tests(tests, start, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
