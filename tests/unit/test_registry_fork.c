// SPDX-License-Identifier: MIT
//
// A child that was forked goes on with the heaps that it has, whatever other threads were doing.
#define _GNU_SOURCE 1
#include "child.h"
#include "own_heaps.h"

#include <string.h>

static _Atomic(bool) is_over;

static void *work_until_over(void *unused)
{
  void *blocks[64] = {NULL};
  for (size_t i = 0; !atomic_load(&is_over); i++) {
    void **place = &blocks[i * 7 % 64];
    if (*place != NULL) free_block(*place);
    *place = take((unsigned)(i % SIZE_CLASS_COUNT));
  }
  for (size_t i = 0; i < 64; i++) {
    if (blocks[i] != NULL) free_block(blocks[i]);
  }
  return unused;
}

static char *blocks_of_parent[BLOCKS];

static void check_child(void)
{
  static char *blocks[BLOCKS];
  check_and_free(blocks_of_parent);
  for (size_t i = 0; i < 2; i++) {
    leave_blocks(blocks);
    check_and_free(blocks);
  }
  struct heap *heap = registry_create();
  CHECK(heap != NULL && heap_take(heap, 4, NULL) != NULL);
  registry_destroy(heap);
  upkeep_collect(true);
  chunk_purge(0);
}

static void a_child_that_was_forked_amid_others_work_goes_on(void **state)
{
  (void)state;
  pthread_t threads[3];
  leave_blocks(blocks_of_parent);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, work_until_over, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(40); i++) child_check(check_child);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 3; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  check_and_free(blocks_of_parent);
}

// Fills and overflows a shelf all the time.
static void *free_medium_until_over(void *unused)
{
  void *blocks[24];
  while (!atomic_load(&is_over)) {
    for (size_t i = 0; i < 24; i++) blocks[i] = take(SIZE_CLASS_SMALL_COUNT);
    for (size_t i = 0; i < 24; i++) free_block(blocks[i]);
  }
  return unused;
}

static void check_shelves_of_child(void)
{
  upkeep_collect(true);
  CHECK(count_on_shelves(registry_own()) == 0);
}

static void a_child_finds_the_shelves_of_others_whole(void **state)
{
  (void)state;
  pthread_t threads[2];
  atomic_store(&is_over, false);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, free_medium_until_over, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(100); i++) child_check(check_shelves_of_child);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void *kept_by_parent;

static void check_quiet_child(void)
{
  CHECK(heap_take_medium(registry_own(), 60) == kept_by_parent);
  free_block(kept_by_parent);
  check_and_free(blocks_of_parent);
  upkeep_collect(true);
  CHECK(count_pages() == 0);
  chunk_assert_valid();
}

static void fork_beside_idle(struct idle *idle)
{
  memcpy(blocks_of_parent, idle->blocks, sizeof idle->blocks);
  kept_by_parent = take(60);
  free_block(kept_by_parent);
  child_check(check_quiet_child);
  check_and_free(idle->blocks);
}

static void a_child_inherits_the_heaps_of_threads_it_does_not_have(void **state)
{
  (void)state;
  beside_idle_thread(true, fork_beside_idle);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HEAPS_TEST(a_child_inherits_the_heaps_of_threads_it_does_not_have),
      HEAPS_TEST(a_child_that_was_forked_amid_others_work_goes_on),
      HEAPS_TEST(a_child_finds_the_shelves_of_others_whole),
  };
  return SUITE_RUN(tests);
}
