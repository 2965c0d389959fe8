// SPDX-License-Identifier: MIT
#include "stats/places.h"

#include "core/chunk.h"
#include "core/policy.h"
#include "core/registry.h"
#include "handle/handle_heap.h"
#include "stats/stats.h"

// Whose a page or block of a heap is, and by which number he is known.
static void place_set_owner(struct map_place *place, struct heap *heap, bool is_first_class)
{
  uintptr_t owner = heap_owner(heap);
  if (heap->has_objects) {
    const struct lane *lane = CONTAINER_OF(heap, struct lane, blocks);
    place->owner = lane->is_still ? OF_STILL : OF_OBJECTS;
    place->owner_number = lane->heap->slot;
  } else if (is_first_class) {
    place->owner = OF_HEAP;
    place->owner_number = (uintptr_t)heap;
  } else if (owner == OWNER_SHARED) {
    place->owner = OF_COMMON;
  } else if (owner != OWNER_NOBODY) {
    place->owner = OF_THREAD;
    place->owner_number = atomic_load_explicit(&heap->thread_number, memory_order_relaxed);
  }
}

// Adds what a list or bitmap page is. Inside its heap.
static void places_add_page(struct places *places, struct page *page)
{
  struct map_place *place = &places->all[places->count++];
  bool is_list = page_kind(page) == PAGE_LIST;
  *place = (struct map_place){
      .start = (uintptr_t)page_start(page),
      .bytes = page_run_bytes(page),
      .kind = is_list ? PLACE_LIST : PLACE_BITMAP,
      .block_bytes = page->block_bytes,
      .capacity = page->capacity,
      .carved = page->carved,
      // A free that is under way may count a block that has been taken again.
      .used = (uint32_t)bits_smaller(stats_live_blocks(page), page->carved),
      .is_closed = (page->flags & PAGE_IS_CLOSED) != 0,
      .has_free_bits = TUNING_HAS_LISTS && !is_list && page->capacity <= 64,
      .resident_bytes = page_resident_bytes(page),
  };
  if (place->has_free_bits) {
    place->free_bits = atomic_load_explicit(&page->bits, memory_order_relaxed);
  }
  struct heap *heap = page_heap(page);
  place_set_owner(place, heap, heap->is_direct);
  places->slice += page->slices;
}

// Adds a large block or a free run; steps over any other slice.
static void places_add_run(struct places *places)
{
  struct page *page = places->slice;
  struct chunk_place seen = chunk_look_at(page);
  places->slice += seen.slices;
  if (seen.kind == PAGE_NONE) return;
  bool is_large = seen.kind == PAGE_LARGE;
  struct map_place *place = &places->all[places->count++];
  *place = (struct map_place){
      .start = (uintptr_t)page_start(page),
      .bytes = (size_t)seen.slices << SLICE_SHIFT,
      .kind = is_large ? PLACE_LARGE : PLACE_FREE,
      .block_bytes = is_large ? seen.held_bytes : 0,
      .capacity = is_large,
      .carved = is_large,
      .used = is_large,
      .lead_bytes = is_large ? seen.lead_bytes : 0,
      .resident_bytes = seen.held_bytes,
  };
  // One that has a heap ends with that: threads' heaps have none of them.
  struct heap *heap = is_large ? page_heap(page) : NULL;
  if (heap != NULL) place_set_owner(place, heap, true);
}

static bool is_of_blocks(struct page *page)
{
  enum page_kind kind = page_kind(page);
  return kind == PAGE_LIST || kind == PAGE_BITMAP;
}

// Adds pages as long as they are of one heap, all in one visit to it; steps over a page that it
// cannot look into.
static void places_add_pages_of(struct places *places, struct heap *heap)
{
  if (heap == NULL || !registry_enter(heap)) {
    places->slice++;
    return;
  }
  // Inside: what is the heap's now stays so.
  struct page *before = places->slice;
  while (places->slice < places->end && places->count < PLACES_MOST &&
         is_of_blocks(places->slice) && page_heap(places->slice) == heap) {
    places_add_page(places, places->slice);
  }
  heap_leave(heap);
  if (places->slice == before) places->slice++;  // it has just become another's
}

INTERNAL void places_begin(struct places *places)
{
  // acquire: pairs with publish_table; below that there are descriptors
  size_t units = atomic_load_explicit(&region_units, memory_order_acquire);
  places->slice = region.pages;
  places->end = region.pages + (units >> (SLICE_SHIFT - 4));
  places->count = 0;
}

INTERNAL bool places_next(struct places *places)
{
  places->count = 0;
  while (places->slice < places->end && places->count < PLACES_MOST) {
    if (is_of_blocks(places->slice)) {
      places_add_pages_of(places, page_heap(places->slice));
    } else if (page_kind(places->slice) != PAGE_NONE && page_kind(places->slice) != PAGE_INSIDE) {
      places_add_run(places);
    } else {
      places->slice++;
    }
  }
  return places->count > 0;
}
