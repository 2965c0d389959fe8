// SPDX-License-Identifier: MIT
//
// Ticks and collections reach all heaps, and leave what a thread may be at work with.
#define _GNU_SOURCE 1
#include "own_heaps.h"

#include <string.h>

#include "base/options.h"
#include "os/system.h"

// Bins that only their owner may empty can keep a page of each small class.
enum { OWNERS_PAGES = SIZE_CLASS_SMALL_COUNT };

static void collect_beside(struct idle *idle)
{
  check_and_free(idle->blocks);
  upkeep_collect(true);
  CHECK(count_pages() <= OWNERS_PAGES);
}

static void a_collection_reaches_the_heaps_of_idle_threads(void **state)
{
  (void)state;
  beside_idle_thread(false, collect_beside);
}

static void tick_beside(struct idle *idle)
{
  options.purge_delay = 4;
  check_and_free(idle->blocks);
  for (size_t i = 0; i < 50 && count_pages() > OWNERS_PAGES; i++) {
    os_sleep_ms(10);
    upkeep_tick();
  }
  CHECK(count_pages() <= OWNERS_PAGES);
  for (size_t i = 0; i < 50 && chunk_statistics().dirty_bytes > 0; i++) {
    os_sleep_ms(10);
    upkeep_tick();
  }
  CHECK(chunk_statistics().dirty_bytes == 0);
}

static void a_tick_reaches_them_too_and_returns_the_memory(void **state)
{
  (void)state;
  beside_idle_thread(false, tick_beside);
}

static void a_tick_that_is_not_due_does_nothing(void **state)
{
  (void)state;
  options.purge_delay = 0;
  os_sleep_ms(50);
  upkeep_tick();
  free_block(take(SIZE_CLASS_COUNT - 1));
  upkeep_collect(true);
  size_t dirty = chunk_statistics().dirty_bytes;
  assert_true(dirty > 0);
  options.purge_delay = 3600000;
  upkeep_tick();
  assert_int_equal(chunk_statistics().dirty_bytes, dirty);
  options.purge_delay = 0;
  os_sleep_ms(50);
  upkeep_tick();
  assert_int_equal(chunk_statistics().dirty_bytes, 0);
}

// Ticks with the given delay after a small and a medium block were freed. Returns how many of them
// the thread still keeps.
static size_t kept_after_tick(uint32_t purge_delay)
{
  free_block(take(4));
  free_block(take(60));
  assert_non_null(heap_bin(registry_own(), 4)->first);
  assert_int_equal(count_on_shelves(registry_own()), 1);
  options.purge_delay = purge_delay;
  upkeep_tick();
  return (heap_bin(registry_own(), 4)->first != NULL) + count_on_shelves(registry_own());
}

static void a_tick_empties_bins_and_shelves_when_the_delay_is_over(void **state)
{
  (void)state;
  upkeep_collect(true);
  size_t pages = count_pages();
  assert_int_equal(kept_after_tick(0), 0);  // from now on the delay is counted
  assert_int_equal(kept_after_tick(3600000), 2);
  assert_int_equal(count_pages(), pages + 2);
  os_sleep_ms(50);
  free_block(heap_take_medium(registry_own(), 60));
  upkeep_tick();
  assert_int_equal(count_pages(), pages + 2);
  upkeep_collect(false);
  assert_int_equal(kept_after_tick(40), 0);
  assert_int_equal(count_pages(), pages);
}

static void a_tick_inside_the_heap_leaves_its_bins_and_shelves(void **state)
{
  (void)state;
  free_block(take(4));
  free_block(take(60));
  struct bin *bin = heap_bin(registry_own(), 4);
  struct block *first = bin->first;
  options.purge_delay = 0;
  os_sleep_ms(10);
  heap_enter(registry_own());
  upkeep_tick();
  assert_ptr_equal(bin->first, first);
  assert_int_equal(count_on_shelves(registry_own()), 1);
  heap_leave(registry_own());
}

static void tick_and_look(struct idle *idle)
{
  struct bin bins[1 + SIZE_CLASS_SMALL_COUNT];
  struct shelf shelves[SIZE_CLASS_MEDIUM_COUNT];
  memcpy(bins, idle->heap->bins, sizeof bins);
  memcpy(shelves, idle->heap->shelves, sizeof shelves);
  CHECK(count_on_shelves(idle->heap) == SIZE_CLASS_MEDIUM_COUNT);
  options.purge_delay = 0;
  check_and_free(idle->blocks);  // so that the idle thread's heap has mail
  for (size_t i = 0; i < 3; i++) {
    os_sleep_ms(10);
    upkeep_tick();
  }
  upkeep_collect(true);
  CHECK(memcmp(bins, idle->heap->bins, sizeof bins) == 0);
  CHECK(memcmp(shelves, idle->heap->shelves, sizeof shelves) == 0);
}

static void the_bins_and_shelves_of_another_thread_are_left_alone(void **state)
{
  (void)state;
  beside_idle_thread(true, tick_and_look);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HEAPS_TEST(a_collection_reaches_the_heaps_of_idle_threads),
      HEAPS_TEST(a_tick_that_is_not_due_does_nothing),
      HEAPS_TEST(a_tick_reaches_them_too_and_returns_the_memory),
      HEAPS_TEST(a_tick_empties_bins_and_shelves_when_the_delay_is_over),
      HEAPS_TEST(a_tick_inside_the_heap_leaves_its_bins_and_shelves),
      HEAPS_TEST(the_bins_and_shelves_of_another_thread_are_left_alone),
  };
  return SUITE_RUN(tests);
}
