// SPDX-License-Identifier: MIT
#include "track/profile.h"

#include "core/page_bitmap.h"
#include "core/page_list.h"
#include "core/registry.h"
#include "core/remote.h"
#include "track/record.h"
#include "track/site_table.h"
#include "track/thread_state.h"
#include "track/track_file.h"
#include "track/tracker.h"
#include "track/weight.h"

enum { LOOK_ATTEMPTS = 100 };

// ---------------------------------------------------------------------------------------------
// Free memory in pages.

// The free memory of a page that is a heap's, by blocks in use. Inside that heap.
static double share_inside(struct page *page)
{
  bool is_list = page_kind(page) == PAGE_LIST;
  uint32_t used = is_list ? page_used(page) - remote_count(page) : page_bitmap_used(page);
  size_t resident_bytes = page_resident_bytes(page);
  size_t used_bytes = used * page->block_bytes;
  if (used == 0 || resident_bytes <= used_bytes) return 0;
  return (double)(resident_bytes - used_bytes) / used;
}

// Who is inside of a heap of objects may wait for what the thread below this signal handler holds.
static bool enter_to_look(struct heap *heap)
{
  if (!heap->has_objects) return registry_enter(heap);
  for (unsigned i = 0; i < LOOK_ATTEMPTS; i++) {
    if (heap_try_enter(heap)) return true;
    os_thread_yield();
  }
  return false;
}

static double sparse_share(struct page *page)
{
  enum page_kind kind = page_kind(page);
  if (kind != PAGE_LIST && kind != PAGE_BITMAP) return 0;
  struct heap *heap = page_heap(page);
  if (heap == NULL || !enter_to_look(heap)) return 0;
  // It may have become another's, or nobody's, before.
  double share = page_kind(page) == kind && page_heap(page) == heap ? share_inside(page) : 0;
  heap_leave(heap);
  return share;
}

// ---------------------------------------------------------------------------------------------
// Sums.

// A page's blocks as they are counted.
struct page_sums {
  struct page *page;
  bool is_known;  // whether `share` is that of the page
  double share;
};

static uint64_t rounded(double value)
{
  return (uint64_t)(value + 0.5);
}

static double share_of(struct page_sums *sums, const struct tracker_block *block)
{
  if (block->twin != NULL) return sparse_share(page_first(page_at(block->twin)));
  if (!sums->is_known) sums->share = sparse_share(sums->page);
  sums->is_known = true;
  return sums->share;
}

static bool sum_block(const struct tracker_block *block, void *argument)
{
  struct page_sums *sums = argument;
  if (block->stack == 0) return true;
  struct site *site = site_of(block->stack);
  size_t interval = tracker_interval_of(block->weight);
  double count = weight_of_sample(block->block_bytes, interval);
  site->live.samples++;
  site->live.sampled_bytes += block->size;
  site->live.count_parts += rounded(count * (1 << SITE_COUNT_SHIFT));
  site->live.bytes += rounded(count * (double)block->size);
  site->sparse_bytes += rounded(count * share_of(sums, block));
  return true;
}

static void sum_page(struct page *page, void *unused)
{
  (void)unused;
  struct page_sums sums = {page, false, 0};
  (void)tracker_visit(page, sum_block, &sums);
}

static void begin_site(uint32_t number, struct site *site, void *unused)
{
  (void)number, (void)unused;
  site->live = (struct site_sums){0, 0, 0, 0};
  site->sparse_bytes = 0;
}

static void take_total(uint32_t number, struct site *site, void *unused)
{
  (void)number, (void)unused;
  site->total = site_total(site);
}

static void add_recent(uint32_t number, uint64_t count, uint64_t bytes, void *unused)
{
  (void)unused;
  struct site_sums *total = &site_of(number)->total;
  total->samples += count;
  total->sampled_bytes += bytes;
  total->count_parts += count << SITE_COUNT_SHIFT;
  total->bytes += bytes;
}

// What is in use first: so it is part of what was allocated in all.
static void make_sums(void)
{
  site_table_each(begin_site, NULL);
  record_each_page(sum_page, NULL);
  site_table_each(take_total, NULL);
  thread_state_each_count(add_recent, NULL);
}

// ---------------------------------------------------------------------------------------------
// What was not asked for.

static bool add_rounding(const struct tracker_block *block, void *argument)
{
  double *sum = argument;
  double count = weight_of_sample(block->block_bytes, tracker_interval_of(block->weight));
  *sum += count * (double)(block->block_bytes - bits_smaller(block->size, block->block_bytes));
  return true;
}

static void add_rounding_of_page(struct page *page, void *sum)
{
  (void)tracker_visit(page, add_rounding, sum);
}

INTERNAL size_t profile_rounding_bytes(void)
{
  double sum = 0;
  if (tracker_mode() != TRACKER_OFF) record_each_page(add_rounding_of_page, &sum);
  return (size_t)sum;
}

// ---------------------------------------------------------------------------------------------
// Lines.

static uint64_t whole(uint64_t count_parts)
{
  return (count_parts + (1 << SITE_COUNT_SHIFT >> 1)) >> SITE_COUNT_SHIFT;
}

static void write_site(uint32_t number, struct site *site, void *unused)
{
  (void)unused;
  const struct site_sums *live = &site->live;
  const struct site_sums *total = &site->total;
  if (total->samples == 0 && live->samples == 0) return;
  const uint64_t values[] = {live->samples,
                             live->sampled_bytes,
                             total->samples,
                             total->sampled_bytes,
                             whole(live->count_parts),
                             live->bytes,
                             whole(total->count_parts),
                             total->bytes,
                             site->sparse_bytes};
  track_file_stack(number);
  track_file_line("site");
  track_file_number(number);
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) track_file_number(values[i]);
  track_file_end_line();
}

static void write_lost(void)
{
  uint64_t stacks = site_table_lost();
  uint64_t blocks = tracker_forgone();
  if (stacks == 0 && blocks == 0) return;
  track_file_line("lost");
  track_file_number(stacks);
  track_file_number(blocks);
  track_file_end_line();
}

INTERNAL bool profile_write(int descriptor)
{
  track_file_open(descriptor, "profile");
  make_sums();
  site_table_each(write_site, NULL);
  write_lost();
  return track_file_end();
}
