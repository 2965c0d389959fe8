// SPDX-License-Identifier: MIT
#include "core/frontier.h"

#include "base/annotate.h"
#include "base/fatal.h"
#include "base/options.h"
#include "os/memory.h"

static struct {
  struct os_range region;  // blocks
  struct os_range table;   // descriptors
  size_t table_bytes;      // committed of the table
} frontier;

INTERNAL struct frontier_extent frontier_extent;

// How far addresses have descriptors.
static void publish_table(void)
{
  size_t described = bits_smaller(frontier.table_bytes / sizeof(struct page),
                                  frontier.region.bytes >> SLICE_SHIFT);
  atomic_store_explicit(&region_units, described << (SLICE_SHIFT - 4), memory_order_release);
}

static bool commit_table(size_t slices)
{
  size_t wanted = bits_align_up(slices * sizeof(struct page), os_page_bytes());
  if (wanted <= frontier.table_bytes) return true;
  size_t step = bits_larger(wanted - frontier.table_bytes, (size_t)64 << 10);
  step = bits_smaller(step, frontier.table.bytes - frontier.table_bytes);
  if (!os_range_commit(&frontier.table, frontier.table.start + frontier.table_bytes, step))
    return false;
  frontier.table_bytes += step;
  publish_table();
  return true;
}

// Makes a part of the region accessible and gives it descriptors. Those last: if there is no room
// for the region's part they must not stay.
static bool commit_described(size_t from, size_t bytes)
{
  char *start = frontier.region.start + from;
  if (!os_range_commit(&frontier.region, start, bytes)) return false;
  if (!commit_table((from + bytes) >> SLICE_SHIFT)) {
    os_range_take_back(&frontier.region, start, bytes);
    return false;
  }
  annotate_forbid(start, bytes);
  return true;
}

INTERNAL const void *frontier_variables(size_t *bytes)
{
  *bytes = sizeof frontier;
  return &frontier;
}

INTERNAL size_t frontier_committed_bytes(void)
{
  return frontier_extent.end_bytes - frontier_extent.skipped_bytes;
}

// Makes the region accessible from one slice to another, in steps that grow with it. Returns how
// far it then is, in bytes; 0 if that cannot be had.
static size_t commit_slices(size_t first, size_t end)
{
  size_t from = slices_to_bytes(first);
  size_t needed = slices_to_bytes(end - first);
  size_t step = bits_smaller(bits_larger(frontier_committed_bytes() / 4, TUNING_COMMIT_LEAST),
                             TUNING_COMMIT_MOST);
  step = bits_larger(bits_align_up(step, SLICE_BYTES), needed);
  step = bits_smaller(step, frontier.region.bytes - from);
  if (commit_described(from, step)) return from + step;
  return step > needed && commit_described(from, needed) ? from + needed : 0;
}

static bool commit_up_to(size_t slice)
{
  size_t first = frontier_extent.end_bytes >> SLICE_SHIFT;
  if (slices_to_bytes(slice) > frontier.region.bytes) return false;
  if (slice <= first) return true;
  size_t end = commit_slices(first, slice);
  if (end != 0) frontier_extent.end_bytes = end;
  return end != 0;
}

// Files slices that were never handed out.
static void file_fresh(struct page *run, size_t slices)
{
  run->slices = (uint32_t)slices;
  run->block_bytes = 0;
  run->flags = PAGE_IS_ZERO;
  runs_free(run);
}

// Files the slices from the frontier up to this one, which are accessible.
static void append_fresh(size_t slice)
{
  if (slice <= runs_frontier()) return;
  struct page *fresh = &region.pages[runs_frontier()];
  size_t count = slice - runs_frontier();
  runs_set_frontier(slice);
  file_fresh(fresh, count);
}

INTERNAL struct page *frontier_take(uint32_t slices, uint32_t alignment)
{
  struct page *tail = runs_tail();
  size_t end = page_index(tail) + run_skip(tail, alignment) + slices;
  if (!commit_up_to(end)) return NULL;
  append_fresh(end);
  return runs_take_at(tail, slices, alignment);
}

// Moves the frontier over somebody else's mapping and what lies before it, to a slice from which on
// the region is accessible up to `end`. What is skipped is never handed out and counts as nothing:
// neither as used nor as free, nor as committed. The child of a fork may see any of these steps as
// the last: chunk_after_fork.
static void move_frontier(size_t slice, size_t end)
{
  size_t first = frontier_extent.end_bytes >> SLICE_SHIFT;
  size_t rest = runs_frontier();
  region.pages[first].slices = (uint32_t)(slice - first);
  region.pages[first].flags = PAGE_IS_FOREIGN;
  atomic_signal_fence(memory_order_seq_cst);
  runs_set_frontier(slice);
  atomic_signal_fence(memory_order_seq_cst);
  frontier_extent.skipped_bytes += slices_to_bytes(slice - first);
  frontier_extent.end_bytes = end;
  if (rest < first) file_fresh(&region.pages[rest], first - rest);
}

INTERNAL bool frontier_step_over(uint32_t slices, uint32_t alignment)
{
  size_t from = frontier_extent.end_bytes;
  size_t wanted = (size_t)slices + alignment - 1;
  if (slices_to_bytes(wanted) > frontier.region.bytes - from) return false;
  size_t vacant =
      os_range_find_vacant(&frontier.region, from, slices_to_bytes(wanted), SLICE_BYTES);
  if (vacant == from || vacant == SIZE_MAX) return false;
  size_t first = vacant >> SLICE_SHIFT;
  size_t end = commit_slices(first, first + wanted);
  if (end != 0) move_frontier(first, end);
  return end != 0;
}

INTERNAL bool frontier_init(void)
{
  size_t least = (size_t)16 << 20;
  size_t alignment = TUNING_SCATTERS ? SLICE_BYTES : HUGE_PAGE_BYTES;
  if (frontier.region.start == NULL &&
      !os_range_find(&frontier.region, options.region, least, alignment)) {
    return false;
  }
  size_t slices = frontier.region.bytes >> SLICE_SHIFT;
  size_t table_bytes = bits_align_up(slices * sizeof(struct page), SLICE_BYTES);
  if (!os_range_find(&frontier.table, table_bytes, table_bytes, SLICE_BYTES)) return false;
  frontier.table.is_undumped = !options.dump_metadata;
  region.start = (uintptr_t)frontier.region.start;
  region.pages = (struct page *)(void *)frontier.table.start;
  return true;
}

INTERNAL size_t frontier_table_bytes(void)
{
  return frontier.table_bytes;
}

INTERNAL size_t frontier_reached_bytes(void)
{
  return slices_to_bytes(runs_frontier()) - frontier_extent.skipped_bytes;
}

INTERNAL void frontier_settle(void)
{
  frontier_extent.end_bytes =
      bits_larger(frontier_extent.end_bytes, slices_to_bytes(runs_frontier()));
  os_range_settle(&frontier.region, frontier_extent.end_bytes);
  os_range_settle(&frontier.table, frontier.table_bytes);
  publish_table();
  // What was about to be skipped from here on will be handed out: it must not say that it is not.
  size_t next = frontier_extent.end_bytes >> SLICE_SHIFT;
  bool is_described = (next + 1) * sizeof(struct page) <= frontier.table_bytes;
  if (is_described) region.pages[next].flags &= (uint8_t)~PAGE_IS_FOREIGN;
}

INTERNAL void frontier_set_skipped(size_t bytes)
{
  frontier_extent.skipped_bytes = bytes;
}

// How long the stretches are that were skipped, for what their slices say. Descriptors of what
// others take and have not marked yet are passed one by one.
static size_t foreign_bytes(void)
{
  size_t bytes = 0;
  if (frontier.region.is_reserved) return 0;
  for (size_t i = 0; i < runs_frontier();) {
    struct page *page = &region.pages[i];
    enum page_kind kind = page_kind(page);
    bool is_foreign = page_is_foreign(page);
    bool is_single = (kind == PAGE_NONE && !is_foreign) || kind == PAGE_INSIDE;
    if (is_foreign) bytes += page_run_bytes(page);
    i += is_single ? 1 : page->slices;
  }
  return bytes;
}

INTERNAL void frontier_assert_valid(void)
{
  ASSERT(slices_to_bytes(runs_frontier()) <= frontier_extent.end_bytes);
  ASSERT(frontier_extent.end_bytes <= frontier.region.bytes);
  ASSERT((frontier_extent.end_bytes >> SLICE_SHIFT) * sizeof(struct page) <= frontier.table_bytes);
  ASSERT(frontier.table_bytes <= frontier.table.bytes);
  size_t foreign = foreign_bytes();
  ASSERT(foreign == frontier_extent.skipped_bytes);
  (void)foreign;
}
