// SPDX-License-Identifier: MIT
//
// The walk through the region: every page, large block and free run once, by rising addresses, with
// what is known of it.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include "core/heap.h"
#include "mend/handle.h"
#include "mend/mend.h"
#include "stats/places.h"

enum { MOST = 20000 };

static struct map_place found[MOST];
static size_t count;

static void walk(void)
{
  struct places places;
  count = 0;
  places_begin(&places);
  while (places_next(&places)) {
    assert_true(places.count <= PLACES_MOST);
    for (uint32_t i = 0; i < places.count; i++) {
      assert_true(count < MOST);
      found[count++] = places.all[i];
    }
  }
}

static const struct map_place *place_of(const void *block)
{
  for (size_t i = 0; i < count; i++) {
    if ((uintptr_t)block - found[i].start < found[i].bytes) return &found[i];
  }
  return NULL;
}

static void places_are_ordered_and_sound(void **state)
{
  (void)state;
  void *blocks[200];
  for (size_t i = 0; i < 200; i++) blocks[i] = mend_malloc(1 + i * i * 13);
  for (size_t i = 0; i < 200; i += 2) mend_free(blocks[i]);
  walk();
  assert_true(count > 10);
  for (size_t i = 0; i < count; i++) {
    const struct map_place *place = &found[i];
    assert_true(place->bytes > 0 && place->bytes % SLICE_BYTES == 0);
    assert_true(i == 0 || found[i - 1].start + found[i - 1].bytes <= place->start);
    assert_true(place->resident_bytes <= place->bytes);
    assert_true(place->used <= place->carved && place->carved <= place->capacity);
    assert_true(place->capacity * place->block_bytes <= place->bytes);
    assert_true(place->kind != PLACE_FREE || place->capacity == 0);
  }
  for (size_t i = 1; i < 200; i += 2) mend_free(blocks[i]);
}

static void blocks_are_in_the_places_that_are_theirs(void **state)
{
  (void)state;
  void *small = mend_malloc(100), *medium = mend_malloc(20000), *large = mend_malloc(300000);
  mend_heap *heap = mend_heap_create();
  void *own = mend_heap_malloc(heap, 100);
  mend_handle handle = mend_handle_alloc(100);
  walk();
  assert_int_equal(place_of(small)->kind, PLACE_LIST);
  assert_int_equal(place_of(medium)->kind, PLACE_BITMAP);
  assert_true(place_of(medium)->has_free_bits);
  assert_int_equal(place_of(large)->kind, PLACE_LARGE);
  assert_true(place_of(large)->block_bytes >= 300000);
  assert_int_equal(place_of(large)->owner, OF_NOBODY);
  assert_int_equal(place_of(small)->owner, OF_THREAD);
  assert_int_equal(place_of(small)->owner_number, os_thread_number());
  assert_int_equal(place_of(own)->owner, OF_HEAP);
  assert_int_equal(place_of(own)->owner_number, (uintptr_t)heap);
  assert_int_equal(place_of(mend_resolve(handle))->owner, OF_OBJECTS);
  mend_handle_free(handle);
  mend_heap_destroy(heap);
  mend_free(small);
  mend_free(medium);
  mend_free(large);
  walk();
  assert_true(place_of(large) == NULL || place_of(large)->kind != PLACE_LARGE);
}

// Blocks of a page of few are told apart: who is free has its bit set.
static void free_blocks_of_a_page_of_few_are_told(void **state)
{
  (void)state;
  void *blocks[8];
  for (size_t i = 0; i < 8; i++) blocks[i] = mend_malloc(30000);
  mend_free(blocks[3]);
  mend_collect(false);
  walk();
  for (size_t i = 0; i < 8; i++) {
    const struct map_place *place = place_of(blocks[i]);
    if (place == NULL || !place->has_free_bits) continue;  // the page may have gone
    size_t index = ((uintptr_t)blocks[i] - place->start) / place->block_bytes;
    assert_int_equal(place->free_bits >> index & 1, i == 3);
  }
  for (size_t i = 0; i < 8; i++) {
    if (i != 3) mend_free(blocks[i]);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(places_are_ordered_and_sound),
      cmocka_unit_test(blocks_are_in_the_places_that_are_theirs),
      cmocka_unit_test(free_blocks_of_a_page_of_few_are_told),
  };
  return SUITE_RUN(tests);
}
