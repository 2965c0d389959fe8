// SPDX-License-Identifier: MIT
//
// The lines add up to what is committed: live, free, uncarved and rest are the pages and large
// blocks in use, retained and unused the free runs of slices. What is known of all slices together
// gives the rest, so whatever is lost (by a fork, by a handler) is in there too. Blocks in the
// bins and on the shelves of other threads count as live: these may be handing them out this
// instant.
#include "stats/stats.h"

#include <string.h>

#include "base/format.h"
#include "base/output.h"
#include "core/chunk.h"
#include "core/metadata.h"
#include "core/policy.h"
#include "core/registry.h"
#include "handle/handle_heap.h"
#include "os/memory.h"
#include "os/system.h"
#ifdef MEND_HARDENED
#include "secure/guarded.h"
#endif

// What the walk over the heaps adds up.
struct tally {
  struct heap *own;
  size_t page_count;
  size_t page_bytes;
  size_t live_bytes;  // of all classes, when they are settled
  size_t carved_bytes;
  size_t cached_bytes;
  size_t quarantine_bytes;
  size_t heap_count;
  size_t large_bytes;
  size_t large_blocks;
  struct stats_class classes[SIZE_CLASS_COUNT];
};

// 0 where figures of different moments contradict each other.
static size_t difference(size_t whole, size_t part)
{
  return whole > part ? whole - part : 0;
}

// Blocks and pages that pass between heaps while these are walked are counted twice or not at all:
// a sum that has come out below 0 is 0.
static size_t not_negative(size_t sum)
{
  return sum > SIZE_MAX / 2 ? 0 : sum;
}

INTERNAL uint32_t stats_live_blocks(struct page *page)
{
  if (page_kind(page) == PAGE_LIST) return page_used(page) - remote_count(page);
  return page_bitmap_used(page);
}

static void tally_page(struct tally *tally, struct page *page)
{
  uint32_t live = stats_live_blocks(page);
  tally->page_count++;
  tally->page_bytes += page_run_bytes(page);
  tally->carved_bytes += page->carved * page->block_bytes;
  struct stats_class *of_class = &tally->classes[page->size_class];
  of_class->page_count++;
  of_class->live_count += live;
  of_class->free_count += page->carved - live;
}

INTERNAL void stats_each_kept(struct heap *heap, stats_kept_visitor visitor, void *argument)
{
  for (unsigned i = 0; i + 1 < BIN_COUNT; i++) {
    struct block *block = heap->bins[1 + i].first;
    unsigned size_class = i % SIZE_CLASS_SMALL_COUNT;
    for (; block != NULL; block = block_next(block)) {
      visitor(argument, KEPT_IN_BIN, size_class, block);
    }
  }
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) {
    const struct shelf *shelf = &heap->shelves[i];
    for (uint32_t j = 0; j < shelf->count; j++) {
      visitor(argument, KEPT_APART, SIZE_CLASS_SMALL_COUNT + i, shelf->blocks[j]);
    }
  }
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    for (uint32_t j = 0; j < policy_waiting_places(heap, i); j++) {
      const void *block = policy_waiting(heap, i, j);
      enum stats_kept kept = policy_is_quarantine(j) ? KEPT_FROM_USE : KEPT_APART;
      if (block != NULL) visitor(argument, kept, i, block);
    }
  }
}

INTERNAL bool stats_is_counted(const void *block)
{
  return !page_heap(page_first(page_at(block)))->is_given_up;
}

// Blocks that wait in the heap's bins and pools and on its shelves are not live.
static void subtract_kept(void *argument, enum stats_kept kept, unsigned size_class,
                          const void *block)
{
  struct tally *tally = argument;
  if (!stats_is_counted(block)) return;
  bool is_ready = kept != KEPT_FROM_USE;
  *(is_ready ? &tally->cached_bytes : &tally->quarantine_bytes) += size_class_bytes(size_class);
  tally->classes[size_class].live_count--;
  tally->classes[size_class].free_count++;
}

INTERNAL size_t stats_twin_bytes(void)
{
  size_t bytes = 0;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) {
    bytes += atomic_load_explicit(&sampling.twins[i], memory_order_relaxed) * size_class_bytes(i);
  }
  return bytes;
}

// Nor are blocks that are kept in place of samples. (Nobody can be handed them: they are free, and
// not cached.)
static void subtract_twins(struct tally *tally)
{
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) {
    size_t count = atomic_load_explicit(&sampling.twins[i], memory_order_relaxed);
    tally->classes[i].live_count -= count;
    tally->classes[i].free_count += count;
  }
}

static void tally_heap(struct heap *heap, void *argument)
{
  struct tally *tally = argument;
  tally->large_bytes += atomic_load_explicit(&heap->large_bytes, memory_order_relaxed);
  tally->large_blocks += atomic_load_explicit(&heap->large_blocks, memory_order_relaxed);
  if (atomic_load_explicit(&heap->is_taken, memory_order_relaxed)) tally->heap_count++;
  for (struct list *at = heap->pages.next; at != &heap->pages; at = at->next) {
    tally_page(tally, CONTAINER_OF(at, struct page, chain));
  }
  if (heap == tally->own || heap_owner(heap) == OWNER_SHARED) {
    stats_each_kept(heap, subtract_kept, tally);
  }
}

// After the last subtraction: a block may be subtracted before its page is added.
static void settle_classes(struct tally *tally)
{
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    struct stats_class *of_class = &tally->classes[i];
    size_t carved = of_class->live_count + of_class->free_count;
    of_class->live_count = not_negative(of_class->live_count);
    of_class->free_count = difference(carved, of_class->live_count);
    tally->live_bytes += of_class->live_count * size_class_bytes(i);
  }
}

INTERNAL void stats_of_heap(struct heap *heap, struct mend_stats_row *row)
{
  struct tally tally = {.own = registry_own()};
  tally_heap(heap, &tally);
  settle_classes(&tally);
  row->page_count = tally.page_count;
  row->live_bytes = tally.live_bytes;
  row->free_bytes = difference(tally.carved_bytes, tally.live_bytes);
  row->cached_bytes = tally.cached_bytes;
  row->uncarved_bytes = tally.page_bytes - tally.carved_bytes;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    row->live_count += tally.classes[i].live_count;
    row->free_count += tally.classes[i].free_count;
  }
  for (struct list *at = heap->large.next; at != &heap->large; at = at->next) {
    row->live_count++;
    row->live_bytes += CONTAINER_OF(at, struct page, chain)->block_bytes;
  }
}

static struct tally take_tally(void)
{
  struct tally tally = {.own = registry_own()};
  if (registry_init()) registry_each(tally_heap, &tally);
  handle_heap_each_lane(tally_heap, &tally);
  subtract_twins(&tally);
  settle_classes(&tally);
  tally.large_bytes += atomic_load_explicit(&heap_empty.large_bytes, memory_order_relaxed);
  tally.large_blocks += atomic_load_explicit(&heap_empty.large_blocks, memory_order_relaxed);
  tally.large_bytes = not_negative(tally.large_bytes);
  tally.large_blocks = not_negative(tally.large_blocks);
  return tally;
}

// Blocks that are guarded one by one (hardened) lie in no page, but in os pages of their own.
static size_t lone_bytes(void)
{
#ifdef MEND_HARDENED
  return guarded_live_bytes();
#else
  return 0;
#endif
}

INTERNAL struct mend_stats stats_collect(struct stats_class *classes)
{
  struct tally tally = take_tally();
  if (classes != NULL) memcpy(classes, tally.classes, sizeof tally.classes);
  struct chunk_statistics region_stats = chunk_statistics();
  size_t lone = lone_bytes();
  size_t occupied_bytes = region_stats.used_bytes + region_stats.dirty_bytes;
  return (struct mend_stats){
      .bytes = sizeof(struct mend_stats),
      .live_bytes = tally.live_bytes + tally.large_bytes + lone,
      .free_bytes = difference(tally.carved_bytes, tally.live_bytes),
      .retained_bytes = region_stats.dirty_bytes,
      .uncarved_bytes = tally.page_bytes - tally.carved_bytes,
      .committed_bytes = region_stats.committed_bytes + lone,
      .metadata_bytes = metadata_bytes() + region_stats.table_bytes,
      .large_bytes = tally.large_bytes,
      .large_count = tally.large_blocks,
      .page_count = tally.page_count,
      .heap_count = tally.heap_count,
      .purged_bytes = os_memory_purged_bytes(),
      .os_call_count = os_memory_call_count(),
      .mapping_count = region_stats.mapping_count,
      .rest_bytes = difference(region_stats.used_bytes, tally.page_bytes + tally.large_bytes),
      .unused_bytes = difference(region_stats.committed_bytes, occupied_bytes),
      .cached_bytes = tally.cached_bytes,
      .quarantine_bytes = tally.quarantine_bytes,
  };
}

bool mend_stats_get(struct mend_stats *stats)
{
  if (stats == NULL || stats->bytes < sizeof stats->bytes) return false;
  struct mend_stats all = stats_collect(NULL);
  size_t bytes = stats->bytes < sizeof all ? stats->bytes : sizeof all;
  all.bytes = stats->bytes;
  memcpy(stats, &all, bytes);
  return true;
}

// ---------------------------------------------------------------------------------------------
// The table.

static void print_line(const char *name, size_t value, const char *meaning)
{
  char line[160];
  struct format format = format_begin(line, sizeof line);
  format_text(&format, "mend: ");
  format_number(&format, value, 16);
  format_text(&format, "  ");
  format_text(&format, name);
  format_text(&format, ": ");
  format_text(&format, meaning);
  format_text(&format, "\n");
  output_write(line, (size_t)(format.at - line));
}

static void print_resident(void)
{
  struct os_resident resident = os_resident();
  if (resident.now_bytes == 0) return;
  print_line("bytes resident", resident.now_bytes, "of the whole process, says the kernel");
  print_line("bytes resident at most", resident.most_bytes, "the same at its peak");
}

INTERNAL void stats_print(void)
{
  struct mend_stats stats = stats_collect(NULL);
  print_line("process", os_process_id(), "the one whose heap this is");
  print_line("bytes live", stats.live_bytes, "blocks that the program holds");
  print_line("bytes free", stats.free_bytes, "free blocks in pages that are in use");
  print_line("bytes cached", stats.cached_bytes, "of those free, kept ready by the thread");
  print_line("bytes uncarved", stats.uncarved_bytes, "parts of those pages never touched");
  print_line("bytes rest", stats.rest_bytes, "behind the ends of large blocks");
  print_line("bytes retained", stats.retained_bytes, "free pages kept for reuse");
  print_line("bytes unused", stats.unused_bytes, "never used, or returned to the kernel");
  print_line("bytes committed", stats.committed_bytes,
             "all of these: what is accessible for blocks");
  print_line("bytes metadata", stats.metadata_bytes, "beside these: descriptors, heaps, tables");
  print_line("bytes purged", stats.purged_bytes, "returned to the kernel so far");
  print_resident();
  print_line("bytes large", stats.large_bytes,
             "of those live, in blocks above 64 KiB, or aligned to more");
  print_line("large blocks", stats.large_count, "how many of them");
  print_line("pages", stats.page_count, "runs of equal blocks in use");
  print_line("heaps", stats.heap_count, "of threads, and first-class ones");
  print_line("system calls", stats.os_call_count, "made for memory so far");
  print_line("mappings", stats.mapping_count, "caused beyond the first ones");
}
