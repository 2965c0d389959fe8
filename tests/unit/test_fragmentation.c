// SPDX-License-Identifier: MIT
//
// The figures of fragmentation, for heaps made by hand, and that they always add up.
#include "handles.h"

static struct mend_fragmentation figures_of(struct handle_heap *of)
{
  struct mend_fragmentation now = fragmentation_of(of);
  assert_int_equal(now.bytes, sizeof now);
  assert_int_equal(now.block_bytes + now.free_bytes + now.rest_bytes, now.resident_bytes);
  assert_true(now.object_bytes <= now.block_bytes);
  assert_true(now.external >= 0 && now.external <= 1);
  assert_true(now.heap >= 0 && now.heap <= now.all_in && now.all_in <= 1);
  return now;
}

static bool is_near(double a, double b)
{
  return a - b < 1e-9 && b - a < 1e-9;
}

static void an_empty_heap_has_nothing(void **state)
{
  (void)state;
  struct mend_fragmentation now = figures_of(heap);
  assert_int_equal(now.objects + now.object_bytes + now.block_bytes + now.resident_bytes, 0);
  assert_int_equal(now.table_bytes + now.dead_entries, 0);
  assert_true(is_near(now.external, 0));
}

static void a_page_is_its_blocks_its_free_blocks_and_the_rest(void **state)
{
  (void)state;
  enum { COUNT = 200, SIZE = 1000, BLOCK = 1024 };
  uint64_t handles[COUNT];
  for (size_t i = 0; i < COUNT; i++) handles[i] = make_object(SIZE);
  struct mend_fragmentation now = figures_of(heap);
  assert_int_equal(now.objects, COUNT);
  assert_int_equal(now.object_bytes, COUNT * SIZE);
  assert_int_equal(now.block_bytes, COUNT * BLOCK);
  assert_int_equal(now.free_bytes, 0);  // none was ever used and freed
  size_t resident = now.resident_bytes;
  for (size_t i = 0; i < COUNT - 1; i++) {
    if (i % 4 != 0) assert_int_equal(object_free(handles[i], false), MEND_OK);
  }
  size_t left = COUNT - 3 * (COUNT / 4) + 1;
  now = figures_of(heap);
  assert_int_equal(now.objects, left);
  assert_int_equal(now.object_bytes, left * SIZE);
  assert_int_equal(now.block_bytes, left * BLOCK);
  assert_true(now.resident_bytes <= resident);
  if (!TEST_IS_WASTEFUL) assert_int_equal(now.free_bytes, (COUNT - left) * BLOCK);
  assert_true(is_near(now.external, 1 - (double)now.block_bytes / (double)now.resident_bytes));
  size_t held = now.resident_bytes + now.metadata_bytes;
  assert_true(is_near(now.heap, 1 - (double)now.object_bytes / (double)held));
  held += now.table_bytes;
  assert_true(is_near(now.all_in, 1 - (double)now.object_bytes / (double)held));
}

static void what_was_returned_to_the_kernel_is_not_resident(void **state)
{
  (void)state;
  static const size_t sizes[] = {100, 10000};
  for (size_t i = 0; i < 2; i++) {
    make_sparse(sizes[i], 200);
    struct mend_fragmentation before = figures_of(heap);
    size_t bytes = handle_heap_collect(heap, true);
    struct mend_fragmentation after = figures_of(heap);
    assert_true(bytes > 0 && after.resident_bytes < before.resident_bytes);
    assert_int_equal(after.block_bytes, before.block_bytes);
    // with an unused page that was kept for the class
    assert_true(before.resident_bytes - after.resident_bytes <= bytes + SLICE_BYTES);
    free_kept();
  }
}

static void the_table_and_its_dead_entries_are_counted(void **state)
{
  (void)state;
  make_sparse(16, 2);
  size_t entries = atomic_load(&heap->table.space->count);
  struct mend_fragmentation now = figures_of(heap);
  assert_int_equal(now.table_bytes, entries * 12);
  assert_int_equal(now.dead_entries, entries - kept.count);
}

static void large_and_still_objects_are_counted(void **state)
{
  (void)state;
  uint64_t large = make_object(MIB + 1);
  struct mend_fragmentation now = figures_of(heap);
  assert_int_equal(now.objects, 1);
  assert_int_equal(now.object_bytes, MIB + 1);
  assert_true(now.block_bytes > MIB && now.resident_bytes == now.block_bytes);
  assert_int_equal(object_resize(large, 16, 100000), MEND_OK);
  assert_int_equal(figures_of(heap).object_bytes, 100000);
  assert_int_equal(object_free(large, false), MEND_OK);
  (void)object_allocate(heap, 16, 50, MEND_ALLOC_PINNED, 0);
  now = figures_of(heap);
  assert_int_equal(now.objects, 1);
  assert_int_equal(now.object_bytes, 50);
}

static void all_heaps_are_the_sum_of_each(void **state)
{
  (void)state;
  struct handle_heap *other = handle_heap_create();
  make_sparse(700, 3);
  (void)object_allocate(other, 16, 5000, 0, 0);
  struct mend_fragmentation all = figures_of(NULL);
  struct mend_fragmentation sum = {.bytes = sizeof sum};
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *at = handle_heap_at(slot);
    if (at == NULL) continue;
    struct mend_fragmentation one = figures_of(at);
    sum.objects += one.objects;
    sum.object_bytes += one.object_bytes;
    sum.resident_bytes += one.resident_bytes;
    sum.metadata_bytes += one.metadata_bytes;
    sum.table_bytes += one.table_bytes;
  }
  assert_int_equal(all.objects, sum.objects);
  assert_int_equal(all.object_bytes, sum.object_bytes);
  assert_int_equal(all.resident_bytes, sum.resident_bytes);
  assert_int_equal(all.metadata_bytes, sum.metadata_bytes);
  assert_int_equal(all.table_bytes, sum.table_bytes);
  struct mend_fragmentation blocks = fragmentation_of_blocks();
  assert_int_equal(blocks.resident_bytes, all.resident_bytes);
  assert_int_equal(blocks.object_bytes, 0);
  assert_true(is_near(blocks.external, all.external));
  handle_heap_destroy(other);
}

static void shares_of_nothing_are_nothing(void **state)
{
  (void)state;
  struct mend_fragmentation sum = {.object_bytes = 10, .block_bytes = 10, .resident_bytes = 5};
  fragmentation_finish(&sum);  // more live than held, as while others allocate
  assert_true(is_near(sum.external, 0) && is_near(sum.heap, 0) && is_near(sum.all_in, 0));
  sum.metadata_bytes = 5;
  sum.table_bytes = 10;
  fragmentation_finish(&sum);
  assert_true(is_near(sum.heap, 0) && is_near(sum.all_in, 0.5));
}

static void at_random_the_figures_add_up(void **state)
{
  (void)state;
  static uint64_t handles[1000];
  static size_t sizes[1000];
  struct random random = {random_seed()};
  size_t objects = 0;
  size_t bytes = 0;
  memset(handles, 0, sizeof handles);
  for (size_t i = 0; i < test_scaled(50000); i++) {
    size_t at = random_below(&random, 1000);
    size_t size = random_size(&random, random_below(&random, 100) == 0 ? 500000 : 5000);
    size_t choice = random_below(&random, 3);
    if (handles[at] == 0) {
      handles[at] = object_allocate(heap, 16, size, choice == 0 ? MEND_ALLOC_PINNED : 0, 0);
      objects++;
      bytes += sizes[at] = size;
    } else if (choice > 0) {
      assert_int_equal(object_free(handles[at], false), MEND_OK);
      handles[at] = 0;
      objects--;
      bytes -= sizes[at];
    } else {
      assert_int_equal(object_resize(handles[at], 16, size), MEND_OK);
      bytes += size - sizes[at];
      sizes[at] = size;
    }
    if (i % 500 != 0) continue;
    if (i % 1500 == 0) (void)handle_heap_collect(heap, i % 1000 == 0);
    struct mend_fragmentation now = figures_of(heap);
    assert_int_equal(now.objects, objects);
    assert_int_equal(now.object_bytes, bytes);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(an_empty_heap_has_nothing),
      HANDLES_TEST(a_page_is_its_blocks_its_free_blocks_and_the_rest),
      HANDLES_TEST(what_was_returned_to_the_kernel_is_not_resident),
      HANDLES_TEST(the_table_and_its_dead_entries_are_counted),
      HANDLES_TEST(large_and_still_objects_are_counted),
      HANDLES_TEST(all_heaps_are_the_sum_of_each),
      HANDLES_TEST(shares_of_nothing_are_nothing),
      HANDLES_TEST(at_random_the_figures_add_up),
  };
  return SUITE_RUN(tests);
}
