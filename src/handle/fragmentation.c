// SPDX-License-Identifier: MIT
#include "handle/fragmentation.h"

#include "core/chunk.h"
#include "core/large.h"
#include "handle/info.h"
#include "os/memory.h"

static void measure_page(struct mend_fragmentation *sum, struct page *page)
{
  size_t live = page_bitmap_used(page);
  size_t resident = page_resident_bytes(page);
  size_t block_bytes = live * page->block_bytes;
  size_t free = bits_smaller((page->carved - live) * page->block_bytes, resident - block_bytes);
  sum->objects += live;
  sum->block_bytes += block_bytes;
  sum->free_bytes += free;
  sum->rest_bytes += resident - block_bytes - free;
  sum->resident_bytes += resident;
  sum->metadata_bytes += page->slices * sizeof(struct page);
  if (page->capacity > 64) sum->metadata_bytes += page->capacity / 8U;
}

static void measure_large(struct mend_fragmentation *sum, struct page *page, bool blocks_only)
{
  sum->objects++;
  if (!blocks_only) {
    sum->object_bytes += atomic_load_explicit(&page->object_bytes, memory_order_relaxed);
  }
  struct chunk_place place = chunk_look_at(page);  // it may be being resized
  sum->block_bytes += place.held_bytes;
  sum->resident_bytes += place.held_bytes;
  sum->metadata_bytes += place.slices * sizeof(struct page);
}

// Whether an object is in a lane that a fork has given up: its page stays for ever. (Others may go
// at any moment; their descriptors can be read all the same.)
static bool is_given_up(uint64_t entry)
{
  const struct heap *blocks = page_heap(page_of_block(entry_block(entry)));
  return blocks != NULL && blocks->is_given_up;
}

// What was asked for the objects that are not large: takes a look at each entry.
static size_t count_object_bytes(struct handle_heap *heap)
{
  const struct handle_table *table = &heap->table;
  size_t bytes = 0;
  uint32_t count = atomic_load(&table->space->count);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t entry = entry_load(handle_table_entry(table, i));
    if (entry_state(entry) == ENTRY_FREE || (heap->has_given_up && is_given_up(entry))) continue;
    uint32_t info = info_load(handle_table_info(table, i));
    if (info_class(info) < SIZE_CLASS_COUNT) bytes += info_object_bytes(info, NULL);
  }
  return bytes;
}

static void measure_heap(struct mend_fragmentation *sum, struct handle_heap *heap, bool blocks_only)
{
  struct lane *lane;
  size_t objects = sum->objects;
  for (uint32_t i = 0; i < HANDLE_ALL_LANES; i++) {
    if (!lane_enter_number(heap, i, &lane)) continue;
    struct heap *blocks = &lane->blocks;
    large_collect(blocks);
    for (struct list *at = blocks->pages.next; at != &blocks->pages; at = at->next) {
      measure_page(sum, CONTAINER_OF(at, struct page, chain));
    }
    for (struct list *at = blocks->large.next; at != &blocks->large; at = at->next) {
      measure_large(sum, CONTAINER_OF(at, struct page, chain), blocks_only);
    }
    sum->metadata_bytes += sizeof *lane;
    lane_leave(lane);
  }
  objects = sum->objects - objects;
  size_t entries = handle_table_resident_entries(&heap->table);
  sum->table_bytes += handle_table_resident_bytes(&heap->table);
  sum->dead_entries += entries - bits_smaller(entries, objects);
  sum->object_bytes += blocks_only ? 0 : count_object_bytes(heap);
}

static double waste(size_t live, size_t held)
{
  return held <= live ? 0 : 1 - (double)live / (double)held;
}

INTERNAL void fragmentation_finish(struct mend_fragmentation *sum)
{
  size_t held = sum->resident_bytes + sum->metadata_bytes;
  sum->cached_bytes = chunk_statistics().dirty_bytes;
  sum->external = waste(sum->block_bytes, sum->resident_bytes);
  sum->heap = waste(sum->object_bytes, held);
  sum->all_in = waste(sum->object_bytes, held + sum->table_bytes);
}

static struct mend_fragmentation measure(struct handle_heap *heap, bool blocks_only)
{
  struct mend_fragmentation sum = {.bytes = sizeof sum};
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *at = handle_heap_at(slot);
    if (at != NULL && (heap == NULL || heap == at)) measure_heap(&sum, at, blocks_only);
  }
  fragmentation_finish(&sum);
  return sum;
}

INTERNAL struct mend_fragmentation fragmentation_of(struct handle_heap *heap)
{
  return measure(heap, false);
}

INTERNAL struct mend_fragmentation fragmentation_of_blocks(void)
{
  return measure(NULL, true);
}
