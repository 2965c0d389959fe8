// SPDX-License-Identifier: MIT
#include <string.h>

#include "remote.h"
#include "remote_field.h"
#include "remote_heaps.h"

static void add_to_class(struct remote_class *of_class, const struct remote_page *page)
{
  of_class->page_count++;
  of_class->page_bytes += page->bytes;
  of_class->live_count += page->used;
  of_class->free_count += page->carved - page->used;
}

static void add_to_heap(struct remote_heap *heap, const struct remote_page *page)
{
  heap->page_count++;
  heap->page_bytes += page->bytes;
  heap->used_bytes += page->used * page->block_bytes;
  heap->free_bytes += (page->carved - page->used) * page->block_bytes;
}

static bool add_page(void *argument, const struct remote_page *page)
{
  struct remote *remote = argument;
  struct remote_totals *totals = &remote->totals;
  struct remote_heap *heap = remote_heap_at(remote, page->heap);
  if (page->kind == KIND_FREE) {
    totals->retained_bytes += page->held_bytes;
    return true;
  }
  uint64_t used = page->used * page->block_bytes;
  uint64_t carved = page->carved * page->block_bytes;
  totals->live_bytes += used;
  if (heap != NULL) add_to_heap(heap, page);
  if (page->kind == KIND_LARGE) {
    totals->large_count++;
    totals->large_bytes += used;
    totals->rest_bytes += page->bytes - used;
    return true;
  }
  totals->page_count++;
  totals->free_bytes += carved - used;
  totals->uncarved_bytes += page->bytes - carved;
  add_to_class(&remote->classes[page->size_class], page);
  return true;
}

// 0 where figures of different moments contradict each other.
static uint64_t difference(uint64_t whole, uint64_t part)
{
  return whole > part ? whole - part : 0;
}

// Blocks that are kept in place of samples.
static void add_twins(struct remote *remote)
{
  uint64_t counts[REMOTE_CLASSES_MOST] = {0};
  uint32_t count = remote->root.twin_classes;
  if (count > REMOTE_CLASSES_MOST) return;
  size_t bytes = count * sizeof counts[0];
  uint64_t address = (uintptr_t)remote->root.twin_counts;
  if (target_read(remote->target, address, counts, bytes) != bytes) return;
  for (uint32_t i = 0; i < count; i++) remote->classes[i].kept_count += counts[i];
}

// Blocks that are kept ready were counted as live.
static void move_kept(struct remote *remote)
{
  struct remote_totals *totals = &remote->totals;
  for (size_t i = 0; i < REMOTE_CLASSES_MOST; i++) {
    struct remote_class *of_class = &remote->classes[i];
    // Also where a chain was followed into blocks that were handed out meanwhile.
    if (of_class->kept_count > of_class->live_count) of_class->kept_count = of_class->live_count;
    of_class->live_count -= of_class->kept_count;
    totals->kept_bytes += of_class->kept_count * of_class->block_bytes;
  }
  totals->live_bytes = difference(totals->live_bytes, totals->kept_bytes);
}

// The region may have grown while it was walked.
static uint64_t region_bytes_now(struct remote *remote)
{
  struct remote_counters *counters = &remote->counters;
  counters->region_end = number_read(remote->target, remote->root.region_end);
  counters->region_skipped_bytes = number_read(remote->target, remote->root.region_skipped_bytes);
  return difference(counters->region_end, counters->region_skipped_bytes);
}

static void finish(struct remote *remote)
{
  const struct remote_counters *counters = &remote->counters;
  struct remote_totals *totals = &remote->totals;
  uint64_t table_bytes =
      counters->region_units / (remote->root.slice_bytes / 16) * remote->root.descriptor_bytes;
  uint64_t occupied = totals->live_bytes + totals->kept_bytes + totals->free_bytes +
                      totals->uncarved_bytes + totals->rest_bytes + totals->retained_bytes;
  uint64_t region_bytes = region_bytes_now(remote);
  // Slices that have changed hands meanwhile may have been seen twice.
  if (region_bytes < occupied) region_bytes = occupied;
  totals->unused_bytes = region_bytes - occupied;
  totals->live_bytes += counters->lone_bytes;
  totals->committed_bytes = region_bytes + counters->lone_bytes;
  totals->metadata_bytes =
      difference(counters->metadata_bytes, counters->metadata_skipped_bytes) + table_bytes;
  for (size_t i = 0; i < remote->heap_count; i++) {
    totals->heap_count += remote->heaps[i].is_chained && remote->heaps[i].is_taken;
  }
}

bool remote_measure(struct remote *remote)
{
  memset(remote->classes, 0, sizeof remote->classes);
  remote->totals = (struct remote_totals){0};
  if (!remote_refresh(remote)) return false;
  remote_walk(remote, add_page, remote);
  remote_heaps_count_kept(remote);
  add_twins(remote);
  move_kept(remote);
  finish(remote);
  return true;
}
