// SPDX-License-Identifier: MIT
//
// A heap over a page source of the test's own: blocks of every class come and go, through the bins
// and past them, the source fails when it is told to, and at the end every page is back where it
// came from. The registry is not started: these heaps are nobody else's.
#define _GNU_SOURCE 1
#include "heaps.h"

enum { BLOCKS = 2000 };

static void every_class_gives_blocks_of_its_size(void **state)
{
  (void)state;
  static struct heap heap;
  static char *blocks[64];
  init_heap(&heap, os_thread_id());
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    size_t bytes = size_class_bytes(i);
    for (size_t j = 0; j < 64; j++) {
      blocks[j] = (char *)bin_take(heap_bin(&heap, i % SIZE_CLASS_SMALL_COUNT));
      if (i >= SIZE_CLASS_SMALL_COUNT || blocks[j] == NULL) {
        if (blocks[j] != NULL) free_block(blocks[j]);
        blocks[j] = take(&heap, i, NULL);
      }
      assert_non_null(blocks[j]);
      allow_touch(blocks[j], bytes);
      assert_int_equal(page_first(page_at(blocks[j]))->block_bytes, bytes);
      pattern_fill(blocks[j], bytes, i * 100 + j);
    }
    for (size_t j = 0; j < 64; j++) {
      assert_int_equal(pattern_difference(blocks[j], bytes, i * 100 + j), bytes);
      free_block(blocks[j]);
    }
    assert_valid(&heap);
  }
  collect(&heap);
}

static void a_block_said_to_be_zero_is(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  bool was_zero = false;
  for (size_t round = 0; round < 3; round++) {
    char *blocks[20];
    for (size_t i = 0; i < 20; i++) {
      bool is_clean = true;
      blocks[i] = take(&heap, SIZE_CLASS_COUNT - 1, &is_clean);
      assert_non_null(blocks[i]);
      if (is_clean) assert_true(is_zero(blocks[i], 65536));
      was_zero = was_zero || is_clean;
      memset(blocks[i], 1, 65536);
    }
    for (size_t i = 0; i < 20; i++) free_block(blocks[i]);
  }
  assert_true(was_zero);
  bool is_clean = true;
  free_block(take(&heap, 3, &is_clean));
  assert_false(is_clean);  // list pages do not know
  collect(&heap);
}

static void a_source_that_fails_gives_no_block_and_no_harm(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    fixture.takes_left = 0;
    assert_null(take(&heap, i, NULL));
    assert_valid(&heap);
    fixture.takes_left = 1;
    void *block = take(&heap, i, NULL);
    assert_non_null(block);
    fixture.takes_left = 0;
    free_block(block);
    block = take(&heap, i, NULL);  // no other page is needed for it
    assert_non_null(block);
    free_block(block);
    assert_valid(&heap);
    collect(&heap);
  }
  fixture.takes_left = SIZE_MAX;
  assert_int_equal(fixture.pages_out, 0);
}

static void the_source_is_asked_with_the_heaps_request(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  heap.request = (struct page_request){3, 8};
  free_block(take(&heap, 5, NULL));
  assert_int_equal(fixture.request.node, 3);
  assert_int_equal(fixture.request.flags, 8);
  collect(&heap);
}

static void a_full_page_is_left_and_found_again_when_blocks_are_freed(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[BLOCKS];
  init_heap(&heap, os_thread_id());
  const unsigned classes[] = {20, 47, 60, 79};
  for (size_t i = 0; i < 4; i++) {
    size_t count = 0;
    while (fixture.pages_out < 3) blocks[count++] = take(&heap, classes[i], NULL);
    for (size_t j = 0; j + 1 < count; j++) free_block(blocks[j]);
    for (size_t j = 0; j + 1 < count; j++) {
      blocks[j] = take(&heap, classes[i], NULL);
      assert_non_null(blocks[j]);
    }
    assert_true(fixture.pages_out <= 3);
    for (size_t j = 0; j < count; j++) free_block(blocks[j]);
    collect(&heap);
    assert_int_equal(fixture.pages_out, 0);
  }
}

static void one_unused_page_of_a_class_is_kept(void **state)
{
  (void)state;
  static struct heap heap;
  static void *blocks[BLOCKS];
  init_heap(&heap, os_thread_id());
  for (unsigned i = SIZE_CLASS_SMALL_COUNT; i < SIZE_CLASS_COUNT; i += 13) {
    size_t count = 0;
    while (fixture.pages_out < 4) blocks[count++] = take(&heap, i, NULL);
    for (size_t j = 0; j < count; j++) free_to_page(blocks[j]);
    free_block(take(&heap, 5, NULL));  // a slow path, which finds what was posted
    assert_int_equal(fixture.pages_out, 2);
    fixture.takes_left = 0;
    free_block(take(&heap, i, NULL));
    fixture.takes_left = SIZE_MAX;
    assert_int_equal(fixture.pages_out, 2);
    collect(&heap);
    assert_int_equal(fixture.pages_out, 0);
  }
}

static bool purge_and_check(struct heap *heap, char *block, size_t bytes, size_t least)
{
  pattern_fill(block, bytes, 9);
  heap_enter(heap);
  size_t purged = heap_collect(heap, true, true);
  heap_leave(heap);
  heap_assert_valid(heap);
  return purged >= least && pattern_difference(block, bytes, 9) == bytes;
}

static void a_page_that_stays_returns_what_it_does_not_use(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  for (unsigned size_class = 0; size_class < SIZE_CLASS_COUNT; size_class += 9) {
    size_t bytes = size_class_bytes(size_class);
    for (size_t round = 0; round < 2; round++) {  // the second in dirty memory
      char *blocks[5];
      for (size_t i = 0; i < 5; i++) {
        blocks[i] = take(&heap, size_class, NULL);
        assert_non_null(blocks[i]);
        memset(blocks[i], 7, bytes);
      }
      for (size_t i = 1; i < 5; i++) free_block(blocks[i]);
      assert_true(purge_and_check(&heap, blocks[0], bytes, bytes > 16384 ? 3 * bytes : 0));
      for (size_t i = 1; i < 5; i++) {
        blocks[i] = take(&heap, size_class, NULL);
        memset(blocks[i], 7, bytes);
      }
      assert_true(purge_and_check(&heap, blocks[0], bytes, 0));
      for (size_t i = 1; i < 5; i++) {
        assert_int_equal(blocks[i][0], 7);
        assert_int_equal(blocks[i][bytes - 1], 7);
      }
      for (size_t i = 0; i < 5; i++) free_block(blocks[i]);
      collect(&heap);
    }
  }
}

static void a_heap_that_keeps_none_gives_back_the_last_page_too(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, OWNER_SHARED);
  heap.keeps_unused = false;
  void *block = take(&heap, 70, NULL);
  assert_int_equal(fixture.pages_out, 1);
  free_block(block);
  assert_int_equal(fixture.pages_out, 0);
}

static void collecting_leaves_only_pages_with_blocks_that_are_out(void **state)
{
  (void)state;
  static struct heap heap;
  static void *kept[SIZE_CLASS_COUNT];
  init_heap(&heap, os_thread_id());
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    for (size_t j = 0; j < 10; j++) free_block(take(&heap, i, NULL));
    if (i % 2 == 0) kept[i] = take(&heap, i, NULL);
  }
  collect(&heap);
  assert_valid(&heap);
  assert_int_equal(fixture.pages_out, SIZE_CLASS_COUNT / 2);
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) assert_null(heap_bin(&heap, i)->first);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i += 2) free_block(kept[i]);
  collect(&heap);
  assert_int_equal(fixture.pages_out, 0);
}

static void freeing_all_gives_every_page_back_at_once(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, OWNER_SHARED);
  heap.is_direct = true;
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
      for (size_t j = 0; j < 20; j++) assert_non_null(take(&heap, i, NULL));
    }
    assert_true(fixture.pages_out >= SIZE_CLASS_COUNT);
    free_all(&heap);
    assert_int_equal(fixture.pages_out, 0);
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) assert_false(heap_may_have(&heap, i));
  }
}

static void pages_can_change_hands_with_their_blocks(void **state)
{
  (void)state;
  static struct heap from, to;
  static char *blocks[SIZE_CLASS_COUNT];
  init_heap(&from, os_thread_id());
  init_heap(&to, OWNER_SHARED);
  to.keeps_unused = false;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    blocks[i] = take(&from, i, NULL);
    pattern_fill(blocks[i], size_class_bytes(i), i);
  }
  size_t pages = fixture.pages_out;
  heap_enter(&from);
  heap_enter(&to);
  (void)heap_collect(&from, true, false);
  heap_give_pages(&from, &to);
  heap_leave(&to);
  heap_leave(&from);
  assert_int_equal(fixture.pages_out, pages);
  assert_valid(&from);
  assert_valid(&to);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    assert_ptr_equal(page_heap(page_first(page_at(blocks[i]))), &to);
    assert_false(heap_may_have(&from, i));
    assert_true(heap_may_have(&to, i));  // the rest of its blocks can be had there
    assert_int_equal(pattern_difference(blocks[i], size_class_bytes(i), i), size_class_bytes(i));
    free_block(blocks[i]);
  }
  collect(&to);
  assert_int_equal(fixture.pages_out, 0);
}

static void a_page_is_adopted_with_the_class_it_has(void **state)
{
  (void)state;
  static struct heap heap, from;
  static void *blocks[SIZE_CLASS_COUNT];
  init_heap(&heap, os_thread_id());
  init_heap(&from, OWNER_SHARED);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    blocks[i] = take(&from, i, NULL);
    collect(&from);
    size_t pages = fixture.pages_out;
    heap_enter(&heap);
    heap_enter(&from);
    assert_null(heap_adopt_from(&heap, &from, (i + 1) % SIZE_CLASS_COUNT));
    assert_true(heap_may_have(&from, i));
    struct page *page = heap_adopt_from(&heap, &from, i);
    assert_ptr_equal(page, page_first(page_at(blocks[i])));
    assert_null(heap_adopt_from(&heap, &from, i));
    heap_leave(&from);
    heap_leave(&heap);
    fixture.takes_left = 0;
    void *block = take(&heap, i, NULL);
    assert_ptr_equal(page_first(page_at(block)), page);
    fixture.takes_left = SIZE_MAX;
    free_block(block);
    free_block(blocks[i]);
    collect(&heap);
    assert_int_equal(fixture.pages_out, pages - 1);
  }
}

static void a_heap_that_is_entered_is_known_as_such(void **state)
{
  (void)state;
  static struct heap own, shared;
  init_heap(&own, os_thread_id());
  init_heap(&shared, OWNER_SHARED);
  struct heap *heaps[] = {&own, &shared};
  for (size_t i = 0; i < 2; i++) {
    assert_false(heap_is_barred(heaps[i]));
    heap_enter(heaps[i]);
    assert_true(heap_is_barred(heaps[i]));
    heap_leave(heaps[i]);
    assert_false(heap_is_barred(heaps[i]));
  }
  assert_true(heap_try_enter(&shared));
  assert_true(heap_is_barred(&shared));
  heap_leave(&shared);
}

// ---------------------------------------------------------------------------------------------
// Random use, with a source that fails now and then.

struct slot {
  char *block;
  size_t bytes;
};

static void random_free(struct heap *heap, struct slot *slot)
{
  assert_int_equal(pattern_difference(slot->block, slot->bytes, (uintptr_t)slot), slot->bytes);
  free_into(heap, slot->block);
  slot->block = NULL;
}

static void random_take(struct heap *heap, struct slot *slot, struct random *random)
{
  fixture.takes_left = random_below(random, 4) == 0 ? 0 : SIZE_MAX;
  unsigned size_class = (unsigned)random_below(random, SIZE_CLASS_COUNT - 8);
  bool is_clean = false;
  slot->block = take(heap, size_class, &is_clean);
  if (slot->block == NULL) return;
  slot->bytes = size_class_bytes(size_class);
  assert_int_equal(page_first(page_at(slot->block))->block_bytes, slot->bytes);
  if (is_clean) assert_true(is_zero(slot->block, slot->bytes));
  pattern_fill(slot->block, slot->bytes, (uintptr_t)slot);
}

static void collect_both(struct heap *heap, struct heap *other)
{
  collect(heap);
  collect(other);
}

// Blocks are taken from either heap and freed into either.
static void random_use(struct heap *heap, struct heap *other)
{
  static struct slot slots[300];
  struct random random = {random_seed()};
  for (size_t i = 0; i < test_scaled(100000); i++) {
    struct heap *any = random_below(&random, 2) == 0 ? heap : other;
    struct slot *slot = &slots[random_below(&random, 300)];
    if (slot->block != NULL) {
      random_free(any, slot);
    } else {
      random_take(any, slot, &random);
    }
    if (i % 128 == 0) assert_valid(heap);
    if (i % 128 == 64) assert_valid(other);
    if (i % 5000 == 0) collect_both(heap, other);
  }
  fixture.takes_left = SIZE_MAX;
  for (size_t i = 0; i < 300; i++) {
    if (slots[i].block != NULL) random_free(heap, &slots[i]);
  }
  collect_both(heap, other);
  assert_int_equal(fixture.pages_out, 0);
}

static void random_use_of_a_threads_heap_loses_nothing(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, os_thread_id());
  random_use(&heap, &heap);
}

static void random_use_of_a_shared_heap_loses_nothing(void **state)
{
  (void)state;
  static struct heap heap;
  init_heap(&heap, OWNER_SHARED);
  heap.is_direct = true;
  random_use(&heap, &heap);
}

static void random_use_of_two_heaps_loses_nothing(void **state)
{
  (void)state;
  static struct heap heap, other;
  init_heap(&heap, os_thread_id());
  init_heap(&other, OWNER_SHARED);
  random_use(&heap, &other);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      FIXTURE_TEST(every_class_gives_blocks_of_its_size),
      FIXTURE_TEST(a_block_said_to_be_zero_is),
      FIXTURE_TEST(a_source_that_fails_gives_no_block_and_no_harm),
      FIXTURE_TEST(the_source_is_asked_with_the_heaps_request),
      FIXTURE_TEST(a_full_page_is_left_and_found_again_when_blocks_are_freed),
      FIXTURE_TEST(one_unused_page_of_a_class_is_kept),
      FIXTURE_TEST(a_page_that_stays_returns_what_it_does_not_use),
      FIXTURE_TEST(a_heap_that_keeps_none_gives_back_the_last_page_too),
      FIXTURE_TEST(collecting_leaves_only_pages_with_blocks_that_are_out),
      FIXTURE_TEST(freeing_all_gives_every_page_back_at_once),
      FIXTURE_TEST(pages_can_change_hands_with_their_blocks),
      FIXTURE_TEST(a_page_is_adopted_with_the_class_it_has),
      FIXTURE_TEST(a_heap_that_is_entered_is_known_as_such),
      FIXTURE_TEST(random_use_of_a_threads_heap_loses_nothing),
      FIXTURE_TEST(random_use_of_a_shared_heap_loses_nothing),
      FIXTURE_TEST(random_use_of_two_heaps_loses_nothing),
  };
  fixture_start();
  os_gate_init();
  return SUITE_RUN(tests);
}
