// SPDX-License-Identifier: MIT
#include "track/tracker.h"

#include "base/annotate.h"
#include "core/large.h"
#include "core/sampling.h"
#include "os/system.h"
#include "track/site_table.h"
#include "track/thread_state.h"
#include "track/tracker_exact.h"
#include "track/weight.h"

INTERNAL _Atomic(uint32_t) tracker_mode_now;

static struct {
  _Atomic(size_t) intervals[RECORD_WEIGHTS];  // that there have been: what weights stand for; 0:
                                              // exact, and those not yet used
  _Atomic(uint32_t) weight;                   // of samples now
  _Atomic(uint64_t) forgone;                  // blocks that there was no memory to remember
  _Atomic(bool) is_complete;                  // nothing but what was forgone is not remembered
  uint32_t start_ms;
} tracker;

// ---------------------------------------------------------------------------------------------
// Modes.

// Which weight stands for an interval; one that is as near as can be, if there are too many.
static uint32_t weight_for(size_t interval_bytes)
{
  uint32_t nearest = 1;
  size_t least = SIZE_MAX;
  for (uint32_t i = 1; i < RECORD_WEIGHTS; i++) {
    size_t known = atomic_load(&tracker.intervals[i]);
    if (known == 0) {
      atomic_store(&tracker.intervals[i], interval_bytes);
      return i;
    }
    size_t difference = known > interval_bytes ? known - interval_bytes : interval_bytes - known;
    if (difference == 0) return i;
    if (difference < least) {
      least = difference;
      nearest = i;
    }
  }
  return nearest;
}

INTERNAL bool tracker_start(enum tracker_mode mode, size_t interval_bytes)
{
  if (!site_table_start() || !record_start()) return false;
  thread_state_start();
  tracker_start_clock();
  uint32_t weight = mode == TRACKER_EXACT ? 0 : weight_for(bits_larger(interval_bytes, 1));
  atomic_store(&tracker.weight, weight);
  atomic_store(&tracker.is_complete, false);
  // release: pairs with tracker_mode's users, who find the tables by it
  atomic_store_explicit(&tracker_mode_now, mode, memory_order_release);
  return true;
}

INTERNAL void tracker_begin_complete(void)
{
  atomic_store(&tracker.is_complete, true);
}

INTERNAL bool tracker_is_complete(void)
{
  return atomic_load(&tracker.is_complete) && tracker_forgone() == 0;
}

INTERNAL void tracker_stop(void)
{
  atomic_store(&tracker.is_complete, false);
  atomic_store(&tracker_mode_now, TRACKER_OFF);
  record_forget();
}

INTERNAL size_t tracker_interval_bytes(void)
{
  return tracker_interval_of(atomic_load_explicit(&tracker.weight, memory_order_relaxed));
}

INTERNAL size_t tracker_interval_of(unsigned weight)
{
  return atomic_load_explicit(&tracker.intervals[weight], memory_order_relaxed);
}

INTERNAL void tracker_start_clock(void)
{
  if (tracker.start_ms == 0) tracker.start_ms = os_clock_ms();
}

INTERNAL uint32_t tracker_clock_ms(void)
{
  return os_clock_ms() - tracker.start_ms;
}

INTERNAL uint64_t tracker_forgone(void)
{
  return atomic_load_explicit(&tracker.forgone, memory_order_relaxed);
}

// ---------------------------------------------------------------------------------------------
// Blocks.

static void count_sample(uint32_t site, size_t block_bytes, size_t size, unsigned weight)
{
  double count = weight_of_sample(block_bytes, tracker_interval_of(weight));
  struct site_sums sums = {
      .samples = 1,
      .sampled_bytes = size,
      .count_parts = (uint64_t)(count * (1 << SITE_COUNT_SHIFT) + 0.5),
      .bytes = (uint64_t)(count * (double)size + 0.5),
  };
  site_add_sample(site, &sums);
}

static_assert((int)SITE_DEPTH <= (int)OS_STACK_TRACE_DEPTH, "a trace has room for a site");

// A walk of a thread without a state, as a site.
static NOINLINE uint32_t find_site_without_state(uintptr_t frame, size_t depth)
{
  struct os_stack_bounds bounds = {0};
  struct os_stack_trace trace;
  trace.depth = 0;
  os_stack_walk(&bounds, &trace, frame, depth);
  bool is_unsure;
  return thread_state_site_of(&trace, &is_unsure);
}

static void count_exact(struct thread_walk *walk, size_t size)
{
  if (LIKELY(thread_walk_count(walk, size))) return;
  thread_state_settle(walk);
  site_add_exact(thread_walk_site(walk), 1, size);
}

// The calling thread's stack from a frame on as a site, where a block was allocated. Inside; the
// state may be NULL.
static uint32_t find_allocation_site(struct thread_state *state, uintptr_t frame, size_t size,
                                     bool counts)
{
  if (UNLIKELY(state == NULL)) {
    uint32_t site = find_site_without_state(frame, SITE_DEPTH);
    if (counts) site_add_exact(site, 1, size);
    return site;
  }
  struct thread_walk *walk = thread_state_walk(state, frame, false);
  if (counts) count_exact(walk, size);
  return thread_walk_site(walk);
}

static uint32_t find_free_site(struct thread_state *state, uintptr_t frame)
{
  if (UNLIKELY(state == NULL)) return find_site_without_state(frame, SITE_FREE_DEPTH);
  return thread_walk_site(thread_state_walk(state, frame, true));
}

INTERNAL bool tracker_add(struct page *page, void *block, size_t size, void *twin,
                          enum block_kind kind)
{
  unsigned weight = atomic_load_explicit(&tracker.weight, memory_order_relaxed);
  struct record *record = record_make(page, block, twin != NULL || weight != 0);
  if (UNLIKELY(record == NULL)) {
    atomic_fetch_add_explicit(&tracker.forgone, 1, memory_order_relaxed);
    return false;
  }
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  struct thread_state *state = thread_state_enter();
  struct record_copy copy = {
      .size = size,
      .state = RECORD_LIVE,
      .weight = weight,
      .site = find_allocation_site(state, frame, size, weight == 0),
      .thread = state != NULL ? state->number : 0,
      .ms = tracker_clock_ms(),
      .other = twin != NULL ? (uintptr_t)twin : (uintptr_t)kind,
  };
  if (weight != 0) count_sample(copy.site, page->block_bytes, size, weight);
  thread_state_leave(state);
  record_set(record, &copy);
  if (LIKELY(record_is_current(page, record))) return true;
  record_clear(record);  // another mode has begun meanwhile, and the row is another page's
  return false;
}

INTERNAL struct tracker_call tracker_enter_anew(uintptr_t frame, bool is_free)
{
  struct tracker_call call = {thread_state_enter(), NULL};
  if (call.state == NULL) return call;
  call.walk = thread_state_walk(call.state, frame, is_free);
  thread_state_settle(call.walk);
  return call;
}

static struct tracker_block block_of(void *block, size_t block_bytes,
                                     const struct record_copy *copy)
{
  bool is_live = copy->state == RECORD_LIVE;
  bool has_twin = is_live && copy->other > KIND_NEW_ARRAY;
  return (struct tracker_block){
      .block = block,
      .size = copy->size,
      .block_bytes = block_bytes,
      .is_live = is_live,
      .weight = copy->weight,
      .twin = has_twin ? (void *)(uintptr_t)copy->other : NULL,
      .kind = is_live && !has_twin ? (enum block_kind)copy->other : KIND_ANY,
      .stack = copy->site,
      .thread = copy->thread,
      .ms = copy->ms,
      .free_stack = is_live ? 0 : copy->free_site,
      .free_thread = is_live ? 0 : (uint32_t)copy->other,
  };
}

INTERNAL bool tracker_remove(struct page *page, void *block, struct tracker_block *known)
{
  struct record *record = record_find(page, block);
  if (record == NULL) return false;
  struct thread_state *state = NULL;
  uint32_t site = 0;
  if (tracker_mode() == TRACKER_EXACT) {
    state = thread_state_enter();
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    site = find_free_site(state, frame);
  }
  struct record_copy copy;
  bool was_live = record_close(record, &copy, site, state != NULL ? state->number : 0);
  thread_state_leave(state);
  if (was_live) *known = block_of(block, page->block_bytes, &copy);
  return was_live;
}

INTERNAL void tracker_withdraw(struct page *page, void *block)
{
  struct record *record = record_find(page, block);
  if (record != NULL) record_clear(record);
}

// A sample's row must not take the place of one of exact mode.
static struct record *record_for_copy(struct page *page, void *block, bool is_sample)
{
  if (is_sample && tracker_mode() == TRACKER_EXACT) return NULL;
  struct record *record = record_make(page, block, is_sample);
  if (record == NULL) atomic_fetch_add_explicit(&tracker.forgone, 1, memory_order_relaxed);
  return record;
}

INTERNAL void tracker_copy(struct page *page, void *block, struct page *to_page, void *to_block)
{
  uint32_t state = sampling_state();
  struct record *record = record_find(page, block);
  if (record == NULL) return;
  struct record_copy copy = record_read(record);
  if (copy.state != RECORD_LIVE) return;
  bool is_sample = copy.weight != 0;
  page_set_tracked(to_page);
  struct record *made = record_for_copy(to_page, to_block, is_sample);
  if (made == NULL) return;
  record_set(made, &copy);
  // As of a block that is handed out: what is forgotten meanwhile stays so (remember.c).
  bool is_forgotten = !is_sample && sampling_state() != state;
  if (is_forgotten || !record_is_current(to_page, made)) record_clear(made);
}

INTERNAL void tracker_resize(struct page *page, void *block, size_t size)
{
  struct record *record = record_find(page, block);
  if (record != NULL) record_resize(record, size);
}

INTERNAL bool tracker_look(struct page *page, const void *address, struct tracker_block *known)
{
  bool is_large = page_kind(page) == PAGE_LARGE;
  size_t offset = (size_t)((const char *)address - page_start(page));
  char *block = is_large ? large_block(page)
                         : page_start(page) + offset / page->block_bytes * page->block_bytes;
  struct record *record = record_find(page, block);
  if (record == NULL) return false;
  struct record_copy copy = record_read(record);
  if (copy.state == RECORD_NONE || !record_is_current(page, record)) return false;
  *known = block_of(block, page->block_bytes, &copy);
  return true;
}

INTERNAL bool tracker_find(const void *address, struct tracker_block *known)
{
  struct page *page = page_of_blocks(address);
  return page != NULL && page_is_tracked(page) && tracker_look(page, address, known) &&
         known->is_live;
}

INTERNAL bool tracker_look_past(const void *block, struct tracker_block *known)
{
  size_t block_bytes;
  struct record *record = record_find_past(block, &block_bytes);
  if (record == NULL) return false;
  struct record_copy copy = record_read(record);
  *known = block_of((void *)(uintptr_t)block, bits_larger(block_bytes, copy.size), &copy);
  return copy.state == RECORD_FREED;
}

// What is said of a large block's page while that may be going.
static size_t large_bytes(const struct page *page)
{
  annotate_race_begin();
  size_t bytes = *(const volatile size_t *)&page->block_bytes;
  annotate_race_end();
  return bytes;
}

INTERNAL bool tracker_visit(struct page *page, tracker_visitor visitor, void *argument)
{
  struct record_row row = record_row(page);
  for (size_t i = 0; i < row.count; i++) {
    struct record_copy copy = record_read(&row.records[i]);
    if (copy.state != RECORD_LIVE) continue;
    size_t block_bytes = row.block_bytes != 0 ? row.block_bytes : large_bytes(page);
    char *block = row.block_bytes != 0 ? page_start(page) + i * block_bytes : large_block(page);
    if (!record_row_is_current(page, &row)) break;
    struct tracker_block known = block_of(block, block_bytes, &copy);
    if (!visitor(&known, argument)) return false;
  }
  return true;
}
