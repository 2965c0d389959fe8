// SPDX-License-Identifier: MIT
//
// The view of all live blocks against a list of those that the test holds: of all sizes, after
// random allocations and frees, in bins and out of them, of other threads and of first-class heaps,
// while samples are taken; and lone blocks and objects, which are added.
#include "leaks.h"

#include <pthread.h>

#include "mend/track.h"

enum { HELD = 4000, MOST_BYTES = 200000 };

static struct {
  char *block;
  size_t size;
} held[HELD];

static void change_some(struct random *random, size_t changes, size_t most)
{
  for (size_t i = 0; i < changes; i++) {
    size_t which = random_below(random, HELD);
    mend_free(held[which].block);
    held[which].block = NULL;
    if (random_below(random, 3) == 0) continue;
    held[which].size = random_size(random, most);
    held[which].block = mend_malloc(held[which].size);
    CHECK(held[which].block != NULL);
  }
}

static void *change_in_thread(void *seed)
{
  struct random random = {*(uint64_t *)seed};
  change_some(&random, 3000, 3000);
  return NULL;
}

static void free_all(void)
{
  for (size_t i = 0; i < HELD; i++) {
    mend_free(held[i].block);
    held[i].block = NULL;
  }
}

// Each block is known by each of its bytes, and there are no others.
static void compare(void)
{
  size_t count = 0;
  leaks_view();
  heap_view_assert_valid(&leaks.view);
  for (size_t i = 0; i < HELD; i++) {
    if (held[i].block == NULL) continue;
    count++;
    uint32_t number = leaks_number(held[i].block);
    CHECK(number != VIEW_NONE && number < heap_view_count(&leaks.view));
    CHECK(leaks_number(held[i].block + held[i].size / 2) == number);
    CHECK(held[i].size == 0 || leaks_number(held[i].block + held[i].size - 1) == number);
    struct view_block block =
        heap_view_block_at(&leaks.view, (uintptr_t)held[i].block + held[i].size / 2);
    CHECK(block.start == (uintptr_t)held[i].block && block.bytes >= held[i].size);
    CHECK(leaks_number(held[i].block - 1) != number && !block.is_object);
  }
  assert_int_equal(leaks_live_count(), count);
  leaks_end();
}

static void all_that_is_held_is_live_and_nothing_else(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (int round = 0; round < 5; round++) {
    change_some(&random, 3 * HELD, MOST_BYTES);
    compare();
  }
  free_all();
  compare();
}

static void blocks_of_other_threads_are_live(void **state)
{
  (void)state;
  uint64_t seed = random_seed();
  struct random random = {seed};
  change_some(&random, HELD, 3000);
  threads_run(1, change_in_thread, &seed, 0);
  compare();
  free_all();
  compare();
}

static void samples_are_and_their_twins_are_not(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  if (!mend_profile_start(1000)) return;  // the hardened build takes none
  change_some(&random, 2 * HELD, 3000);
  compare();
  mend_profile_stop();
  compare();
  if (mend_profile_start(MEND_PROFILE_EXACT)) change_some(&random, HELD, 3000);
  compare();
  mend_profile_stop();
  free_all();
  compare();
}

static void blocks_of_first_class_heaps_are_live_until_these_end(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  char *blocks[100];
  for (size_t i = 0; i < 100; i++) blocks[i] = mend_heap_malloc(heap, 10 + i * 900);
  leaks_view();
  assert_int_equal(leaks_live_count(), 100);
  for (size_t i = 0; i < 100; i++) assert_true(leaks_number(blocks[i] + i) != VIEW_NONE);
  leaks_end();
  mend_heap_destroy(heap);
  leaks_view();
  assert_int_equal(leaks_live_count(), 0);
  leaks_end();
}

static void lone_blocks_are_found_by_their_order(void **state)
{
  (void)state;
  assert_true(os_scratch_begin(&leaks.scratch));
  assert_true(heap_view_read(&leaks.view, &leaks.scratch, 100));
  for (uintptr_t i = 1; i <= 101; i++) {
    heap_view_add_lone(&leaks.view, (void *)(i * 1000), 100);  // one more than there is room for
  }
  assert_int_equal(leaks_live_count(), 100);
  heap_view_assert_valid(&leaks.view);
  for (uintptr_t i = 1; i <= 100; i++) {
    uint32_t number = heap_view_find(&leaks.view, i * 1000 + 99);
    assert_int_equal(number, leaks.view.paged_count + i - 1);
    assert_int_equal(heap_view_find(&leaks.view, i * 1000 + 100), VIEW_NONE);
    assert_int_equal(heap_view_find(&leaks.view, i * 1000 - 1), VIEW_NONE);
    assert_int_equal(heap_view_block_at(&leaks.view, i * 1000 + 50).start, i * 1000);
  }
  leaks_end();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_that_is_held_is_live_and_nothing_else),
      cmocka_unit_test(blocks_of_other_threads_are_live),
      cmocka_unit_test(samples_are_and_their_twins_are_not),
      cmocka_unit_test(blocks_of_first_class_heaps_are_live_until_these_end),
      cmocka_unit_test(lone_blocks_are_found_by_their_order),
  };
  return SUITE_RUN(tests);
}
