// SPDX-License-Identifier: MIT
#include "core/chunk.h"

#include "base/annotate.h"
#include "base/fatal.h"
#include "base/options.h"
#include "core/frontier.h"
#include "core/mapping.h"
#include "core/policy.h"
#include "core/runs.h"
#include "os/memory.h"
#include "os/system.h"

static struct {
  struct os_lock lock;  // protects all of this, and the free runs and the frontier
  size_t used_bytes;
  _Atomic(size_t) outside_bytes;  // that others hold; more only under the lock, if there is a limit
  _Atomic(size_t) peak_bytes;     // the most that was in use; fades while less is
  uint32_t purge_phase;           // see await_purges
  uint32_t purges[2];             // going on, by the parity of the phase that they began in
  struct page *kept;              // bound runs of nobody's; see take_back
} chunk;

// ---------------------------------------------------------------------------------------------
// Returning memory.

INTERNAL size_t chunk_peak_bytes(void)
{
  return atomic_load_explicit(&chunk.peak_bytes, memory_order_relaxed);
}

static void set_peak(size_t bytes)
{
  atomic_store_explicit(&chunk.peak_bytes, bytes, memory_order_relaxed);
}

// How much may be in use and dirty together.
static size_t footprint_limit(void)
{
  size_t peak = chunk_peak_bytes();
  return peak + bits_larger(peak / 100 * options.retain_percent, options.retain_bytes);
}

// Returns a run's memory; the run is not filed and the lock is not held. False if it is bound to a
// NUMA node, and the kernel will not have it otherwise.
static bool purge_memory(struct page *run)
{
  if ((run->flags & PAGE_IS_SPLIT) != 0 && mapping_renew(run)) {
    annotate_forbid(page_start(run), page_run_bytes(run));
    os_memory_count_purged(page_run_bytes(run));
    return true;
  }
  os_memory_purge(page_start(run), page_run_bytes(run));
  return !page_is_bound(run) || mapping_unbind(run);
}

// The same of a run that is in no row. The lock is held before and after, not meanwhile.
static bool purge_run(struct page *run)
{
  uint32_t *purges = &chunk.purges[chunk.purge_phase % 2];
  ++*purges;
  os_thread_notes.purges++;
  run->flags |= PAGE_IS_LEAVING;
  os_lock_release(&chunk.lock);
  bool is_purged = purge_memory(run);
  os_lock_acquire(&chunk.lock);
  os_thread_notes.purges--;
  if (*purges > 0) --*purges;  // the child of a fork has forgotten them
  run->flags &= (uint8_t)~PAGE_IS_LEAVING;
  return is_purged;
}

// Purges the first dirty run, if there is one; says how much it held. The lock is held before and
// after, not meanwhile.
static size_t purge_first(void)
{
  struct page *run = runs_take_first();
  if (run == NULL) return 0;
  size_t bytes = run->block_bytes;
  (void)purge_run(run);  // no filed run is bound
  run->flags |= PAGE_IS_ZERO;
  run->block_bytes = 0;
  runs_free(run);
  return bytes;
}

// Waits until the purges that are going on have ended: meanwhile their runs are in no row. Those
// that begin later are not waited for: a phase begins when the purges of the one before the last
// are over, so that in the second one from now those of today are. False if there are none, or if
// this is a signal handler that would wait for its own thread.
static bool await_purges(void)
{
  if (os_thread_notes.purges > 0 || chunk.purges[0] + chunk.purges[1] == 0) return false;
  uint32_t end = chunk.purge_phase + 2;
  while ((int32_t)(end - chunk.purge_phase) > 0) {
    if (chunk.purges[(chunk.purge_phase + 1) % 2] == 0) {
      chunk.purge_phase++;
    } else {
      os_lock_release(&chunk.lock);
      os_thread_yield();
      os_lock_acquire(&chunk.lock);
    }
  }
  return true;
}

// Clean memory is about to be taken, and counts as used already: keeps the footprint below the
// limit.
static void prepare_growth(void)
{
  if (chunk.used_bytes > chunk_peak_bytes()) set_peak(chunk.used_bytes);
  while (runs_dirty_bytes() > 0 && chunk.used_bytes + runs_dirty_bytes() > footprint_limit()) {
    purge_first();
  }
}

// Files slices of a page as free: dirty ones if they may hold memory.
static void give_slices(struct page *run, size_t touched_bytes)
{
  run->block_bytes = touched_bytes;
  run->freed_at_ms = os_clock_ms();
  run->flags = (uint8_t)((run->flags & PAGE_IS_SPLIT) | (touched_bytes == 0 ? PAGE_IS_ZERO : 0));
  chunk.used_bytes -= page_run_bytes(run);
  runs_free(run);
}

// Takes slices of a page back. Bound ones are purged at once and filed when they are not bound any
// more; until the kernel lets go of them they stay in use, and nobody gets them.
static void take_back(struct page *run, size_t touched_bytes)
{
  if (page_is_bound(run)) {
    // For the child of a fork it is a dirty run like any that is leaving.
    run->block_bytes = page_run_bytes(run);
    run->flags &= (uint8_t)~PAGE_IS_ZERO;
    if (!purge_run(run)) {
      atomic_store_explicit(&run->inbox_next, chunk.kept, memory_order_relaxed);
      chunk.kept = run;
      return;
    }
    touched_bytes = 0;
  }
  give_slices(run, touched_bytes);
}

static void take_back_kept(void)
{
  struct page *run = chunk.kept;
  chunk.kept = NULL;
  while (run != NULL) {
    struct page *next = atomic_load_explicit(&run->inbox_next, memory_order_relaxed);
    take_back(run, 0);
    run = next;
  }
}

INTERNAL size_t chunk_purge(size_t keep)
{
  size_t bytes = 0;
  if (chunk_lock_is_mine() || region.pages == NULL) return 0;
  os_lock_acquire(&chunk.lock);
  take_back_kept();
  while (runs_first() != NULL && (keep == 0 || runs_dirty_bytes() > keep)) {
    bytes += purge_first();
  }
  os_lock_release(&chunk.lock);
  return bytes;
}

// How much a large block's run holds behind the block, once.
static size_t purge_rest(struct page *page)
{
  if (page->is_rest_purged) return 0;  // what has guards is so from its start, before it has them
  size_t end = slices_to_bytes(page->slices);
  size_t from = policy_lead_bytes(page) + page->block_bytes;
  if (from >= end) return 0;
  page->is_rest_purged = true;
  os_memory_purge(page_start(page) + from, end - from);
  return end - from;
}

INTERNAL size_t chunk_purge_rests(void)
{
  size_t bytes = 0;
  if (chunk_lock_is_mine() || region.pages == NULL) return 0;
  os_lock_acquire(&chunk.lock);
  struct page *end = region.pages + runs_frontier();
  os_lock_release(&chunk.lock);
  // Locked for one block at a time: the walk may be long.
  for (struct page *page = region.pages; page < end; page++) {
    if (page_kind(page) != PAGE_LARGE) continue;
    os_lock_acquire(&chunk.lock);
    if (page_kind(page) == PAGE_LARGE) bytes += purge_rest(page);
    os_lock_release(&chunk.lock);
  }
  return bytes;
}

INTERNAL void chunk_set_block_bytes(struct page *page, size_t bytes)
{
  bool was_mine = chunk_lock_is_mine();
  if (!was_mine) os_lock_acquire(&chunk.lock);
  page->block_bytes = bytes;
  page->is_rest_purged = policy_is_surrounded(page);  // guards, or given back
  if (!was_mine) os_lock_release(&chunk.lock);
}

INTERNAL void chunk_set_untouched(struct page *page)
{
  bool was_mine = chunk_lock_is_mine();
  if (!was_mine) os_lock_acquire(&chunk.lock);
  page->carved = 0;
  page->is_rest_purged = true;
  if (!was_mine) os_lock_release(&chunk.lock);
}

INTERNAL void chunk_tick(uint32_t now_ms)
{
  if (chunk_lock_is_mine() || region.pages == NULL) return;
  os_lock_acquire(&chunk.lock);
  size_t peak = chunk_peak_bytes();
  set_peak(peak - (peak - bits_smaller(peak, chunk.used_bytes)) / 4);
  runs_expire(now_ms, options.purge_delay);
  for (struct page *run; (run = runs_first()) != NULL;) {
    if (!run_has_expired(run, now_ms, options.purge_delay)) break;
    purge_first();
  }
  os_lock_release(&chunk.lock);
}

// ---------------------------------------------------------------------------------------------
// The source.

static bool is_within_limit(size_t bytes)
{
  if (options.limit == 0) return true;
  size_t outside = atomic_load_explicit(&chunk.outside_bytes, memory_order_relaxed);
  return bytes <= options.limit &&
         chunk.used_bytes + runs_dirty_bytes() + outside <= options.limit - bytes;
}

// Whether there is room for `bytes` more under the limit; dirty runs go first.
static bool limit_leaves(size_t bytes)
{
  bool has_runs = region.pages != NULL;  // what others hold may come first
  while (has_runs && !is_within_limit(bytes) && runs_first() != NULL) purge_first();
  return is_within_limit(bytes);
}

// Counts them as used. (Before they are taken, because the lock is let go meanwhile.)
static bool claim_room(size_t bytes)
{
  if (!limit_leaves(bytes)) return false;
  chunk.used_bytes += bytes;
  return true;
}

INTERNAL bool chunk_claim_bytes(size_t bytes)
{
  bool has_room = options.limit == 0;
  if (!has_room && chunk_lock_is_mine()) return false;  // a signal handler has interrupted us
  if (!has_room) os_lock_acquire(&chunk.lock);
  if (has_room || limit_leaves(bytes)) {
    atomic_fetch_add_explicit(&chunk.outside_bytes, bytes, memory_order_relaxed);
    has_room = true;
  }
  if (options.limit != 0) os_lock_release(&chunk.lock);
  return has_room;
}

INTERNAL void chunk_release_bytes(size_t bytes)
{
  atomic_fetch_sub_explicit(&chunk.outside_bytes, bytes, memory_order_relaxed);
}

static struct page *take_run(uint32_t slices, uint32_t alignment)
{
  struct page *run = runs_take(true, slices, alignment);
  if (run != NULL) return run;
  run = runs_take_mixed(slices, alignment);
  prepare_growth();
  if (run == NULL) run = runs_take(false, slices, alignment);
  if (run == NULL) run = frontier_take(slices, alignment);
  if (run == NULL && frontier_step_over(slices, alignment)) run = frontier_take(slices, alignment);
  return run;
}

// Takes a run in whatever way it can be had.
static struct page *find_slices(uint32_t slices, uint32_t alignment)
{
  struct page *run = take_run(slices, alignment);
  if (run != NULL) return run;
  // Merged after purging, the free runs may do.
  while (runs_first() != NULL) purge_first();
  run = take_run(slices, alignment);
  // And so may those that others are purging. By then somebody may have taken them, and given back
  // others, which are being purged in their turn.
  for (int i = 0; i < TUNING_PURGE_PATIENCE && run == NULL && await_purges(); i++) {
    run = take_run(slices, alignment);
  }
  return run;
}

static struct page *region_take(const struct page_source *source, uint32_t slices,
                                uint32_t alignment, struct page_request request, bool *is_zero)
{
  (void)source, (void)request;  // one region, one node
  size_t bytes = slices_to_bytes(slices);
  if (chunk_lock_is_mine()) return NULL;  // a signal handler has interrupted us right here
  os_lock_acquire(&chunk.lock);
  struct page *run = NULL;
  if (claim_room(bytes)) {
    run = find_slices(slices, alignment);
    if (run == NULL) chunk.used_bytes -= bytes;
  }
  if (run != NULL) {
    *is_zero = !run_is_dirty(run);
    run->flags &= PAGE_IS_SPLIT;
  }
  os_lock_release(&chunk.lock);
  return run;
}

// How much of its run a page can have left memory in: all of it, if the run was dirty when the page
// got it and its rest has not been purged.
static size_t held_bytes(struct page *page, bool is_large)
{
  bool is_rest_clean =
      is_large ? page->is_rest_purged : (page->flags & (PAGE_IS_ZERO | PAGE_REST_PURGED)) != 0;
  return is_rest_clean ? page_touched_bytes(page) : page_run_bytes(page);
}

static void region_give(const struct page_source *source, struct page *page)
{
  (void)source;
  if (chunk_lock_is_mine()) return;  // a signal handler has interrupted us right here: it is lost
  // A large page's kind is gone already: whoever frees it has claimed it so.
  enum page_kind kind = page_kind(page);
  bool is_large = kind != PAGE_LIST && kind != PAGE_BITMAP;
  for (uint32_t i = 1; i < page->slices && !is_large; i++) page_set_kind(&page[i], PAGE_NONE);
  os_lock_acquire(&chunk.lock);
  size_t held = held_bytes(page, is_large);
  page_set_kind(page, PAGE_NONE);
  take_back(page, held);
  os_lock_release(&chunk.lock);
}

// Takes `more` slices right behind a page, dirty, clean or fresh; NULL if they are not free.
static struct page *take_behind(struct page *page, uint32_t more)
{
  struct page *after = page + page->slices;
  struct page *run = runs_take_at(after, more, 1);
  if (run != NULL && run_is_dirty(run)) return run;
  if (run == NULL && after != runs_tail()) return NULL;
  prepare_growth();  // lets the lock go: somebody else may be there afterwards
  if (run == NULL && after == runs_tail()) run = frontier_take(more, 1);
  return run;
}

// Whether the slices behind a page, or behind the free ones there, may be in the hands of a purge.
static bool may_be_purged_behind(struct page *page)
{
  struct page *slice = page + page->slices;
  struct page *end = region.pages + runs_frontier();
  if (slice < end && page_kind(slice) == PAGE_FREE) slice += slice->slices;
  return slice < end && page_kind(slice) == PAGE_NONE;
}

static bool region_extend(const struct page_source *source, struct page *page, uint32_t slices,
                          bool *is_zero)
{
  (void)source;
  uint32_t more = slices - page->slices;
  if (chunk_lock_is_mine()) return false;
  os_lock_acquire(&chunk.lock);
  struct page *run = NULL;
  if (claim_room(slices_to_bytes(more))) {
    run = take_behind(page, more);
    if (run == NULL && may_be_purged_behind(page) && await_purges()) run = take_behind(page, more);
    if (run == NULL) chunk.used_bytes -= slices_to_bytes(more);
  }
  if (run != NULL) {
    ASSERT(run == page + page->slices);
    *is_zero = !run_is_dirty(run);
    mapping_join(page, run);
    page->slices = slices;
  }
  os_lock_release(&chunk.lock);
  return run != NULL;
}

static void region_shorten(const struct page_source *source, struct page *page, uint32_t slices)
{
  (void)source;
  struct page *rest = page + slices;
  if (chunk_lock_is_mine()) return;
  os_lock_acquire(&chunk.lock);
  rest->slices = page->slices - slices;
  rest->flags = page->flags & (PAGE_IS_SPLIT | PAGE_IS_BOUND);
  page->slices = slices;
  mapping_cut_off(rest);
  if (!run_is_dirty(rest)) annotate_forbid(page_start(rest), page_run_bytes(rest));
  take_back(rest, run_is_dirty(rest) ? page_run_bytes(rest) : 0);
  os_lock_release(&chunk.lock);
}

INTERNAL const struct page_source chunk_source = {region_take, region_give, region_extend,
                                                  region_shorten};

// ---------------------------------------------------------------------------------------------

INTERNAL bool chunk_init(void)
{
  runs_init();
  return frontier_init();
}

INTERNAL struct chunk_statistics chunk_statistics(void)
{
  if (chunk_lock_is_mine()) return (struct chunk_statistics){0};
  os_lock_acquire(&chunk.lock);
  struct chunk_statistics statistics = {
      .used_bytes = chunk.used_bytes,
      .dirty_bytes = runs_dirty_bytes(),
      .committed_bytes = frontier_committed_bytes(),
      .reached_bytes = slices_to_bytes(runs_frontier()),
      .table_bytes = frontier_table_bytes(),
      .mapping_count = mapping_count(),
  };
  os_lock_release(&chunk.lock);
  return statistics;
}

INTERNAL struct chunk_place chunk_look_at(struct page *slice)
{
  struct chunk_place place = {.kind = PAGE_NONE, .slices = 1};
  if (chunk_lock_is_mine()) return place;
  os_lock_acquire(&chunk.lock);
  // A large block that is given back meanwhile waits for the lock, and is not another until then.
  // The last slice of a free run is of the same kind as the first, but in no row.
  enum page_kind kind = page_kind(slice);
  if (kind == PAGE_LARGE || (kind == PAGE_FREE && list_contains_node(&slice->link))) {
    // Of a block that is just being shortened the slices have gone first.
    size_t held = bits_smaller(slice->block_bytes, page_run_bytes(slice));
    size_t lead = kind == PAGE_LARGE ? policy_lead_bytes(slice) : 0;
    place = (struct chunk_place){kind, slice->slices, held, (uint32_t)lead};
  }
  os_lock_release(&chunk.lock);
  return place;
}

INTERNAL void chunk_assert_valid(void)
{
  os_lock_acquire(&chunk.lock);
  size_t free_slices = runs_assert_valid();
  frontier_assert_valid();
  ASSERT(frontier_reached_bytes() - slices_to_bytes(free_slices) == chunk.used_bytes);
  (void)free_slices;
  os_lock_release(&chunk.lock);
}

INTERNAL bool chunk_lock_is_mine(void)
{
  return os_lock_is_mine(&chunk.lock);
}

// A run that another thread was purging is not bound any more, or not to be filed.
static bool is_let_go(struct page *run)
{
  bool is_whole = run->slices >= 1 && run->slices <= runs_frontier() - page_index(run);
  return !page_is_bound(run) || (is_whole && purge_memory(run));
}

INTERNAL void chunk_after_fork(void)
{
  // Nobody goes on with what other threads were purging, or meant to take afterwards.
  bool was_purging = chunk.purges[0] + chunk.purges[1] > 0 && os_thread_notes.purges == 0;
  if (chunk_lock_is_mine()) was_purging = false;  // below a signal handler
  chunk.purges[0] = chunk.purges[1] = 0;
  if (!os_lock_take_from_strangers(&chunk.lock) && !was_purging) return;
  frontier_settle();
  runs_init();
  chunk.kept = NULL;
  size_t free_slices = 0;
  size_t skipped = 0;
  for (size_t i = 0; i < runs_frontier();) {
    struct page *page = &region.pages[i];
    enum page_kind kind = page_kind(page);
    bool is_page = kind == PAGE_LIST || kind == PAGE_BITMAP || kind == PAGE_LARGE;
    bool is_foreign = page_is_foreign(page);
    bool was_leaving = kind == PAGE_NONE && (page->flags & PAGE_IS_LEAVING) != 0;
    bool is_free =
        kind == PAGE_FREE || (was_leaving && os_thread_notes.purges == 0 && is_let_go(page));
    uint32_t freed = is_free ? runs_refile(page) : 0;
    free_slices += freed;
    if (is_foreign) skipped += page_run_bytes(page);
    i += freed > 0 ? freed : is_page || is_foreign ? page->slices : 1;
  }
  frontier_set_skipped(skipped);
  chunk.used_bytes = frontier_reached_bytes() - slices_to_bytes(free_slices);
}
