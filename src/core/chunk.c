// SPDX-License-Identifier: MIT
//
// A free run is described by its first and its last descriptor (kind PAGE_FREE, `slices` its length
// in both), so that a neighbour finds it from either side; those in between are PAGE_NONE.
#include "core/chunk.h"

#include "base/annotate.h"
#include "base/fatal.h"
#include "base/options.h"
#include "os/memory.h"
#include "os/system.h"

#define EXACT_BINS 32
#define BIN_COUNT 136  // up to 2^31 slices
#define BIN_WORDS ((BIN_COUNT + 63) / 64)
#define FIT_ATTEMPTS 16  // runs of a wide bin that are looked at

// Free runs of one kind.
struct run_set {
  struct list bins[BIN_COUNT];
  uint64_t occupied[BIN_WORDS];  // bit a bin that is not empty
};

static struct {
  struct os_lock lock;     // protects all of this and the descriptors of free runs
  struct os_range region;  // blocks
  struct os_range table;   // descriptors
  size_t frontier;         // slices below it have been handed out at least once
  size_t committed_bytes;  // of the region
  size_t table_bytes;      // committed of the table
  struct run_set dirty;
  struct run_set clean;
  struct list by_age;  // dirty runs, the one freed last at the end
  size_t used_bytes;
  size_t dirty_bytes;
  _Atomic(size_t) peak_bytes;  // the most that was in use; fades while less is
  _Atomic(size_t) mapping_count;
} chunk;

static size_t slices_to_bytes(size_t slices)
{
  return slices << SLICE_SHIFT;
}

static struct page *run_of_chain(struct list *chain)
{
  return CONTAINER_OF(chain, struct page, chain);
}

static bool is_dirty(const struct page *run)
{
  return (run->flags & PAGE_IS_ZERO) == 0;
}

// A run that the kernel sees as a mapping of its own makes two more of the one around it. Their
// number is MAPPINGS_A_SPLIT for each run that is PAGE_IS_SPLIT. Returns what it was.
#define MAPPINGS_A_SPLIT ((size_t)2)

static size_t count_mappings(size_t change)
{
  return atomic_fetch_add_explicit(&chunk.mapping_count, change, memory_order_relaxed);
}

static void set_kind(struct page *page, enum page_kind kind)
{
  atomic_store_explicit(&page->kind, (uint32_t)kind, memory_order_release);
}

// ---------------------------------------------------------------------------------------------
// Bins.

static unsigned bin_of(size_t slices)
{
  if (slices <= EXACT_BINS) return (unsigned)slices - 1;
  unsigned exponent = bits_highest(slices);
  return EXACT_BINS + (exponent - 5) * 4 + (unsigned)(slices >> (exponent - 2) & 3);
}

static void init_sets(void)
{
  for (unsigned i = 0; i < BIN_COUNT; i++) {
    list_init(&chunk.dirty.bins[i]);
    list_init(&chunk.clean.bins[i]);
  }
  for (unsigned i = 0; i < BIN_WORDS; i++) {
    chunk.dirty.occupied[i] = 0;
    chunk.clean.occupied[i] = 0;
  }
  list_init(&chunk.by_age);
}

static struct run_set *set_of(const struct page *run)
{
  return is_dirty(run) ? &chunk.dirty : &chunk.clean;
}

// Marks both ends and files the run.
static void insert_run(struct page *run)
{
  struct page *last = run + run->slices - 1;
  last->slices = run->slices;
  set_kind(run, PAGE_FREE);
  set_kind(last, PAGE_FREE);
  struct run_set *set = set_of(run);
  unsigned bin = bin_of(run->slices);
  list_push_front(&set->bins[bin], &run->link);
  set->occupied[bin / 64] |= UINT64_C(1) << bin % 64;
  if (is_dirty(run)) {
    list_push_back(&chunk.by_age, &run->chain);
    chunk.dirty_bytes += run->block_bytes;
  }
}

static void remove_run(struct page *run)
{
  struct run_set *set = set_of(run);
  unsigned bin = bin_of(run->slices);
  list_remove(&run->link);
  if (list_is_empty(&set->bins[bin])) set->occupied[bin / 64] &= ~(UINT64_C(1) << bin % 64);
  if (is_dirty(run)) {
    list_remove(&run->chain);
    chunk.dirty_bytes -= run->block_bytes;
  }
  set_kind(run, PAGE_NONE);
  set_kind(run + run->slices - 1, PAGE_NONE);
}

// The first occupied bin from `bin` on, or BIN_COUNT.
static unsigned next_occupied(const struct run_set *set, unsigned bin)
{
  for (unsigned word = bin / 64; word < BIN_WORDS; word++) {
    uint64_t bits = set->occupied[word];
    if (word == bin / 64) bits &= ~bits_low_mask(bin % 64);
    if (bits != 0) return word * 64 + bits_lowest(bits);
  }
  return BIN_COUNT;
}

// A run of at least `slices`, nearly the shortest there is.
static struct page *find_run(struct run_set *set, size_t slices)
{
  unsigned bin = bin_of(slices);
  if (slices > EXACT_BINS) {
    unsigned attempts = FIT_ATTEMPTS;
    struct list *head = &set->bins[bin];
    for (struct list *at = head->next; at != head && attempts > 0; at = at->next, attempts--) {
      struct page *run = CONTAINER_OF(at, struct page, link);
      if (run->slices >= slices) return run;
    }
    bin++;
  }
  bin = next_occupied(set, bin);
  if (bin == BIN_COUNT) return NULL;
  return CONTAINER_OF(set->bins[bin].next, struct page, link);
}

// ---------------------------------------------------------------------------------------------
// Cutting and merging.

// Splits a run that is in no bin after `slices`; the rest goes back to its bin.
static void cut_run(struct page *run, uint32_t slices)
{
  if (run->slices == slices) return;
  struct page *rest = run + slices;
  size_t share = run->block_bytes / run->slices * slices;
  rest->slices = run->slices - slices;
  rest->flags = run->flags;
  rest->freed_at_ms = run->freed_at_ms;
  rest->block_bytes = run->block_bytes - share;
  run->slices = slices;
  run->block_bytes = share;
  if ((run->flags & PAGE_IS_SPLIT) != 0) count_mappings(MAPPINGS_A_SPLIT);
  insert_run(rest);
}

static bool can_merge(const struct page *a, const struct page *b)
{
  return is_dirty(a) == is_dirty(b);
}

// The flags of a run made of two. Two that were mappings of their own are one from now on: counts
// it.
static uint8_t join_flags(uint8_t a, uint8_t b)
{
  if ((a & b & PAGE_IS_SPLIT) != 0) count_mappings(-MAPPINGS_A_SPLIT);
  return (uint8_t)(((a | b) & PAGE_IS_SPLIT) | (a & b & PAGE_IS_ZERO));
}

// Merges two neighbours that are in no bin. The longer one's age is the whole's: a little that
// comes and goes at the edge of an old run must not keep that young for ever.
static struct page *join(struct page *left, struct page *right)
{
  if (right->slices > left->slices) left->freed_at_ms = right->freed_at_ms;
  left->flags = join_flags(left->flags, right->flags);
  left->slices += right->slices;
  left->block_bytes += right->block_bytes;
  return left;
}

// Files a free run, merged with its neighbours.
static void free_run(struct page *run)
{
  struct page *before = run - 1;
  if (run > region.pages && page_kind(before) == PAGE_FREE) {
    before -= before->slices - 1;
    if (can_merge(before, run)) {
      remove_run(before);
      run = join(before, run);
    }
  }
  struct page *after = run + run->slices;
  if (page_index(after) < chunk.frontier && page_kind(after) == PAGE_FREE &&
      can_merge(run, after)) {
    remove_run(after);
    run = join(run, after);
  }
  insert_run(run);
}

// How many slices from this one on are to be skipped until one is aligned.
static uint32_t slices_to_skip(const struct page *slice, uint32_t alignment)
{
  uintptr_t number = (uintptr_t)page_start(slice) >> SLICE_SHIFT;
  return (uint32_t)(bits_align_up(number, alignment) - number);
}

// ---------------------------------------------------------------------------------------------
// Growing.

static bool commit_table(size_t slices)
{
  size_t wanted = bits_align_up(slices * sizeof(struct page), os_page_bytes());
  if (wanted <= chunk.table_bytes) return true;
  size_t step = bits_larger(wanted - chunk.table_bytes, (size_t)64 << 10);
  step = bits_smaller(step, chunk.table.bytes - chunk.table_bytes);
  if (!os_range_commit(&chunk.table, chunk.table.start + chunk.table_bytes, step)) return false;
  chunk.table_bytes += step;
  size_t described =
      bits_smaller(chunk.table_bytes / sizeof(struct page), chunk.region.bytes >> SLICE_SHIFT);
  atomic_store_explicit(&region.units, described << (SLICE_SHIFT - 4), memory_order_release);
  return true;
}

// Makes the region accessible up to a slice, in steps that grow with it.
static bool commit_up_to(size_t slice)
{
  size_t wanted = slices_to_bytes(slice);
  if (wanted > chunk.region.bytes || !commit_table(slice)) return false;
  if (wanted <= chunk.committed_bytes) return true;
  size_t needed = wanted - chunk.committed_bytes;
  size_t step =
      bits_smaller(bits_larger(chunk.committed_bytes / 4, TUNING_COMMIT_LEAST), TUNING_COMMIT_MOST);
  step = bits_larger(bits_align_up(step, SLICE_BYTES), needed);
  step = bits_smaller(step, chunk.region.bytes - chunk.committed_bytes);
  char *start = chunk.region.start + chunk.committed_bytes;
  if (!os_range_commit(&chunk.region, start, step)) {
    step = needed;
    if (!os_range_commit(&chunk.region, start, step)) return false;
  }
  annotate_forbid(start, step);
  chunk.committed_bytes += step;
  return true;
}

// Fresh slices from the frontier; those skipped for the alignment become a free run.
static struct page *extend_frontier(uint32_t slices, uint32_t alignment)
{
  uint32_t skipped = slices_to_skip(&region.pages[chunk.frontier], alignment);
  size_t first = chunk.frontier + skipped;
  if (!commit_up_to(first + slices)) return NULL;
  struct page *gap = &region.pages[chunk.frontier];
  chunk.frontier = first + slices;
  if (skipped > 0) {
    gap->slices = skipped;
    gap->block_bytes = 0;
    gap->flags = PAGE_IS_ZERO;
    free_run(gap);
  }
  struct page *run = &region.pages[first];
  run->slices = slices;
  run->block_bytes = 0;
  run->flags = PAGE_IS_ZERO;
  return run;
}

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

INTERNAL bool chunk_split_mapping(struct page *page)
{
  if ((page->flags & PAGE_IS_SPLIT) != 0) return true;
  size_t before = count_mappings(MAPPINGS_A_SPLIT);
  if (before + MAPPINGS_A_SPLIT > options.map_budget) {
    count_mappings(-MAPPINGS_A_SPLIT);
    return false;
  }
  page->flags |= PAGE_IS_SPLIT;
  return true;
}

INTERNAL bool chunk_renew(struct page *page)
{
  if (!os_memory_renew(page_start(page), slices_to_bytes(page->slices))) return false;
  if ((page->flags & PAGE_IS_SPLIT) != 0) count_mappings(-MAPPINGS_A_SPLIT);
  page->flags = (uint8_t)((page->flags & ~PAGE_IS_SPLIT) | PAGE_IS_ZERO);
  page->is_rest_purged = true;
  return true;
}

// Returns a run's memory; the run is in no bin and the lock is not held.
static void purge_memory(struct page *run)
{
  if ((run->flags & PAGE_IS_SPLIT) != 0 && chunk_renew(run)) return;
  os_memory_purge(page_start(run), slices_to_bytes(run->slices));
}

// Purges the oldest dirty run. The lock is held before and after, not meanwhile.
static size_t purge_oldest(void)
{
  struct page *run = run_of_chain(chunk.by_age.next);
  size_t bytes = run->block_bytes;
  remove_run(run);
  os_lock_release(&chunk.lock);
  purge_memory(run);
  os_lock_acquire(&chunk.lock);
  run->flags |= PAGE_IS_ZERO;
  run->block_bytes = 0;
  free_run(run);
  return bytes;
}

// Clean memory is about to be taken, and counts as used already: keeps the footprint below the
// limit.
static void prepare_growth(void)
{
  if (chunk.used_bytes > chunk_peak_bytes()) set_peak(chunk.used_bytes);
  while (chunk.dirty_bytes > 0 && chunk.used_bytes + chunk.dirty_bytes > footprint_limit()) {
    purge_oldest();
  }
}

INTERNAL size_t chunk_purge(size_t keep)
{
  size_t bytes = 0;
  if (chunk_lock_is_mine() || region.pages == NULL) return 0;
  os_lock_acquire(&chunk.lock);
  while (!list_is_empty(&chunk.by_age) && (keep == 0 || chunk.dirty_bytes > keep)) {
    bytes += purge_oldest();
  }
  os_lock_release(&chunk.lock);
  return bytes;
}

// How much a large block's run holds behind the block, once.
static size_t purge_rest(struct page *page)
{
  size_t end = slices_to_bytes(page->slices);
  if (page->is_rest_purged || page->block_bytes >= end) return 0;
  page->is_rest_purged = true;
  os_memory_purge(page_start(page) + page->block_bytes, end - page->block_bytes);
  return end - page->block_bytes;
}

INTERNAL size_t chunk_purge_rests(void)
{
  size_t bytes = 0;
  if (chunk_lock_is_mine()) return 0;
  os_lock_acquire(&chunk.lock);
  for (struct page *page = region.pages; page < region.pages + chunk.frontier; page++) {
    if (page_kind(page) == PAGE_LARGE) bytes += purge_rest(page);
  }
  os_lock_release(&chunk.lock);
  return bytes;
}

INTERNAL void chunk_set_block_bytes(struct page *page, size_t bytes)
{
  bool was_mine = chunk_lock_is_mine();
  if (!was_mine) os_lock_acquire(&chunk.lock);
  page->block_bytes = bytes;
  page->is_rest_purged = false;
  if (!was_mine) os_lock_release(&chunk.lock);
}

INTERNAL void chunk_purge_expired(uint32_t now_ms)
{
  if (chunk_lock_is_mine() || region.pages == NULL) return;
  os_lock_acquire(&chunk.lock);
  size_t peak = chunk_peak_bytes();
  set_peak(peak - (peak - bits_smaller(peak, chunk.used_bytes)) / 4);
  while (!list_is_empty(&chunk.by_age)) {
    uint32_t age_ms = now_ms - run_of_chain(chunk.by_age.next)->freed_at_ms;
    if (age_ms < options.purge_delay || age_ms > UINT32_MAX / 2) break;
    purge_oldest();
  }
  os_lock_release(&chunk.lock);
}

// ---------------------------------------------------------------------------------------------
// The source.

static bool is_within_limit(size_t bytes)
{
  return options.limit == 0 ||
         (bytes <= options.limit && chunk.used_bytes + chunk.dirty_bytes <= options.limit - bytes);
}

// Counts `bytes` more as used if there is room for them under the limit; dirty runs go first.
// (Before they are taken, because the lock is let go meanwhile.)
static bool claim_room(size_t bytes)
{
  while (!is_within_limit(bytes) && !list_is_empty(&chunk.by_age)) purge_oldest();
  if (!is_within_limit(bytes)) return false;
  chunk.used_bytes += bytes;
  return true;
}

// A run in which `slices` fit at a multiple of the alignment. Blocks of the same kind come and go:
// runs that were aligned once are tried before longer ones.
static struct page *find_aligned_run(struct run_set *set, uint32_t slices, uint32_t alignment)
{
  struct page *run = find_run(set, slices);
  if (run == NULL || slices_to_skip(run, alignment) + slices <= run->slices) return run;
  unsigned attempts = FIT_ATTEMPTS;
  struct list *head = &set->bins[bin_of(run->slices)];
  for (struct list *at = head->next; at != head && attempts > 0; at = at->next, attempts--) {
    run = CONTAINER_OF(at, struct page, link);
    if (slices_to_skip(run, alignment) + slices <= run->slices) return run;
  }
  return find_run(set, (size_t)slices + alignment - 1);
}

// Takes a run out of a set so that it starts at a multiple of the alignment.
static struct page *take_from(struct run_set *set, uint32_t slices, uint32_t alignment)
{
  struct page *run = find_aligned_run(set, slices, alignment);
  if (run == NULL) return NULL;
  remove_run(run);
  uint32_t skipped = slices_to_skip(run, alignment);
  if (skipped > 0) {
    cut_run(run, skipped);
    struct page *rest = run + skipped;
    remove_run(rest);
    insert_run(run);
    run = rest;
  }
  cut_run(run, slices);
  return run;
}

// The free run that ends right before a slice, or starts at it; NULL if there is none.
static struct page *run_before(struct page *slice)
{
  struct page *last = slice - 1;
  if (slice == region.pages || page_kind(last) != PAGE_FREE) return NULL;
  return last - (last->slices - 1);
}

static struct page *run_from(struct page *slice)
{
  if (page_index(slice) >= chunk.frontier || page_kind(slice) != PAGE_FREE) return NULL;
  return slice;
}

// Of neighbouring free runs, of whatever kinds, the first of which is given, cuts a stretch out
// that they cover and makes it one run in no bin.
static struct page *join_stretch(struct page *run, struct page *first, uint32_t slices)
{
  while (run + run->slices <= first) run += run->slices;
  remove_run(run);
  if (run < first) {
    cut_run(run, (uint32_t)(first - run));
    insert_run(run);
    run = first;
    remove_run(run);
  }
  uint32_t end = slices;
  if (run->slices > end) cut_run(run, end);
  while (run->slices < end) {
    struct page *next = run + run->slices;
    remove_run(next);
    if (run->slices + next->slices > end) cut_run(next, end - run->slices);
    run = join(run, next);
  }
  return run;
}

// A stretch of neighbouring free runs, dirty and clean ones, around a dirty one.
static struct page *take_around(struct page *run, uint32_t slices, uint32_t alignment)
{
  struct page *start = run;
  struct page *end = run + run->slices;
  for (struct page *next; (next = run_from(end)) != NULL;) end = next + next->slices;
  for (struct page *before; (before = run_before(start)) != NULL;) start = before;
  struct page *first = start + slices_to_skip(start, alignment);
  return end - first >= (ptrdiff_t)slices ? join_stretch(start, first, slices) : NULL;
}

// No dirty run is long enough: one that has free neighbours may do, which saves the memory that it
// holds from being purged to make room for as much elsewhere.
static struct page *take_mixed(uint32_t slices, uint32_t alignment)
{
  unsigned attempts = FIT_ATTEMPTS;
  for (unsigned bin = bin_of(slices) + 1; bin-- > 0 && attempts > 0;) {
    struct list *head = &chunk.dirty.bins[bin];
    for (struct list *at = head->next; at != head && attempts > 0; at = at->next, attempts--) {
      struct page *run = take_around(CONTAINER_OF(at, struct page, link), slices, alignment);
      if (run != NULL) return run;
    }
  }
  return NULL;
}

static struct page *take_run(uint32_t slices, uint32_t alignment)
{
  struct page *run = take_from(&chunk.dirty, slices, alignment);
  if (run != NULL) return run;
  run = take_mixed(slices, alignment);
  prepare_growth();
  if (run == NULL) run = take_from(&chunk.clean, slices, alignment);
  return run != NULL ? run : extend_frontier(slices, alignment);
}

static struct page *region_take(struct page_source *source, uint32_t slices, uint32_t alignment,
                                struct page_request request, bool *is_zero)
{
  (void)source, (void)request;  // one region, one node
  size_t bytes = slices_to_bytes(slices);
  if (chunk_lock_is_mine()) return NULL;  // a signal handler has interrupted us right here
  os_lock_acquire(&chunk.lock);
  struct page *run = NULL;
  if (claim_room(bytes)) {
    run = take_run(slices, alignment);
    if (run == NULL) {
      // Merged after purging, the free runs may do.
      while (!list_is_empty(&chunk.by_age)) purge_oldest();
      run = take_run(slices, alignment);
    }
    if (run == NULL) chunk.used_bytes -= bytes;
  }
  if (run != NULL) {
    *is_zero = !is_dirty(run);
    run->flags &= PAGE_IS_SPLIT;
  }
  os_lock_release(&chunk.lock);
  return run;
}

// Files slices as free: dirty ones if they may hold memory.
static void give_slices(struct page *run, uint32_t slices, size_t touched_bytes, uint8_t flags)
{
  run->slices = slices;
  run->block_bytes = touched_bytes;
  run->freed_at_ms = os_clock_ms();
  run->flags = (uint8_t)((flags & PAGE_IS_SPLIT) | (touched_bytes == 0 ? PAGE_IS_ZERO : 0));
  chunk.used_bytes -= slices_to_bytes(slices);
  free_run(run);
}

// How much of its run a page can have left memory in: all of it, if the run was dirty when the page
// got it and its rest has not been purged.
static size_t held_bytes(struct page *page, bool is_large)
{
  bool is_rest_clean =
      is_large ? page->is_rest_purged : (page->flags & (PAGE_IS_ZERO | PAGE_REST_PURGED)) != 0;
  return is_rest_clean ? page_touched_bytes(page) : page_run_bytes(page);
}

static void region_give(struct page_source *source, struct page *page)
{
  (void)source;
  if (chunk_lock_is_mine()) return;  // a signal handler has interrupted us right here: it is lost
  // A large page's kind is gone already: whoever frees it has claimed it so.
  enum page_kind kind = page_kind(page);
  bool is_large = kind != PAGE_LIST && kind != PAGE_BITMAP;
  for (uint32_t i = 1; i < page->slices && !is_large; i++) set_kind(&page[i], PAGE_NONE);
  os_lock_acquire(&chunk.lock);
  size_t held = held_bytes(page, is_large);
  atomic_store_explicit(&page->owner, OWNER_NOBODY, memory_order_relaxed);
  set_kind(page, PAGE_NONE);
  give_slices(page, page->slices, held, page->flags);
  os_lock_release(&chunk.lock);
}

// Takes `more` slices right behind a page, clean or dirty; NULL if they are not free.
static struct page *take_behind(struct page *page, uint32_t more)
{
  struct page *after = page + page->slices;
  if (page_index(after) == chunk.frontier) {
    prepare_growth();
    return extend_frontier(more, 1);
  }
  if (page_kind(after) != PAGE_FREE || after->slices < more) return NULL;
  remove_run(after);
  cut_run(after, more);
  if (!is_dirty(after)) prepare_growth();
  return after;
}

static bool region_extend(struct page_source *source, struct page *page, uint32_t slices,
                          bool *is_zero)
{
  (void)source;
  uint32_t more = slices - page->slices;
  if (chunk_lock_is_mine()) return false;
  os_lock_acquire(&chunk.lock);
  struct page *run = NULL;
  if (claim_room(slices_to_bytes(more))) {
    run = take_behind(page, more);
    if (run == NULL) chunk.used_bytes -= slices_to_bytes(more);
  }
  if (run != NULL) {
    *is_zero = !is_dirty(run);
    page->flags |= join_flags(page->flags, run->flags) & PAGE_IS_SPLIT;
    page->slices = slices;
  }
  os_lock_release(&chunk.lock);
  return run != NULL;
}

static void region_shorten(struct page_source *source, struct page *page, uint32_t slices)
{
  (void)source;
  uint32_t fewer = page->slices - slices;
  size_t bytes = slices_to_bytes(fewer);
  if (chunk_lock_is_mine()) return;
  os_lock_acquire(&chunk.lock);
  page->slices = slices;
  if ((page->flags & PAGE_IS_SPLIT) != 0) count_mappings(MAPPINGS_A_SPLIT);
  give_slices(page + slices, fewer, bytes, page->flags);
  os_lock_release(&chunk.lock);
}

INTERNAL struct page_source chunk_source = {region_take, region_give, region_extend,
                                            region_shorten};

// ---------------------------------------------------------------------------------------------

INTERNAL bool chunk_init(void)
{
  init_sets();
  size_t least = (size_t)16 << 20;
  if (chunk.region.start == NULL &&
      !os_range_reserve(&chunk.region, options.region, least, HUGE_PAGE_BYTES)) {
    return false;
  }
  size_t slices = chunk.region.bytes >> SLICE_SHIFT;
  size_t table_bytes = bits_align_up(slices * sizeof(struct page), SLICE_BYTES);
  if (!os_range_reserve(&chunk.table, table_bytes, table_bytes, SLICE_BYTES)) return false;
  region.start = (uintptr_t)chunk.region.start;
  region.pages = (struct page *)(void *)chunk.table.start;
  return true;
}

INTERNAL struct chunk_statistics chunk_statistics(void)
{
  if (chunk_lock_is_mine()) return (struct chunk_statistics){0};
  os_lock_acquire(&chunk.lock);
  struct chunk_statistics statistics = {
      .used_bytes = chunk.used_bytes,
      .dirty_bytes = chunk.dirty_bytes,
      .committed_bytes = chunk.committed_bytes,
      .table_bytes = chunk.table_bytes,
      .mapping_count = atomic_load_explicit(&chunk.mapping_count, memory_order_relaxed),
  };
  os_lock_release(&chunk.lock);
  return statistics;
}

INTERNAL size_t chunk_frontier(void)
{
  os_lock_acquire(&chunk.lock);
  size_t frontier = chunk.frontier;
  os_lock_release(&chunk.lock);
  return frontier;
}

static size_t assert_set_valid(struct run_set *set)
{
  size_t slices = 0;
  for (unsigned bin = 0; bin < BIN_COUNT; bin++) {
    bool is_marked = (set->occupied[bin / 64] >> bin % 64 & 1) != 0;
    ASSERT(is_marked == !list_is_empty(&set->bins[bin]));
    (void)is_marked;
    for (struct list *at = set->bins[bin].next; at != &set->bins[bin]; at = at->next) {
      struct page *run = CONTAINER_OF(at, struct page, link);
      ASSERT(bin_of(run->slices) == bin && set_of(run) == set);
      ASSERT(page_kind(run) == PAGE_FREE && page_kind(run + run->slices - 1) == PAGE_FREE);
      ASSERT((run + run->slices - 1)->slices == run->slices);
      slices += run->slices;
    }
  }
  return slices;
}

INTERNAL void chunk_assert_valid(void)
{
  os_lock_acquire(&chunk.lock);
  size_t free_slices = assert_set_valid(&chunk.dirty) + assert_set_valid(&chunk.clean);
  ASSERT(slices_to_bytes(chunk.frontier - free_slices) == chunk.used_bytes);
  (void)free_slices;
  os_lock_release(&chunk.lock);
}

INTERNAL bool chunk_lock_is_mine(void)
{
  return os_lock_is_mine(&chunk.lock);
}

// Files the free run that starts at a slice, if one does that is whole; returns how many slices to
// go on by.
static size_t refile_run(struct page *run)
{
  size_t rest = chunk.frontier - page_index(run);
  size_t slices = run->slices;
  bool is_whole = slices >= 1 && slices <= rest && page_kind(run + slices - 1) == PAGE_FREE &&
                  (run + slices - 1)->slices == slices;
  if (!is_whole) {
    set_kind(run, PAGE_NONE);
    return 1;
  }
  insert_run(run);
  chunk.used_bytes -= slices_to_bytes(slices);
  return slices;
}

INTERNAL void chunk_after_fork(void)
{
  if (!os_lock_take_from_strangers(&chunk.lock)) return;
  init_sets();
  chunk.dirty_bytes = 0;
  chunk.used_bytes = slices_to_bytes(chunk.frontier);
  chunk.region.may_be_mapped = true;
  chunk.table.may_be_mapped = true;
  for (size_t i = 0; i < chunk.frontier;) {
    struct page *page = &region.pages[i];
    enum page_kind kind = page_kind(page);
    bool is_page = kind == PAGE_LIST || kind == PAGE_BITMAP || kind == PAGE_LARGE;
    i += kind == PAGE_FREE ? refile_run(page) : is_page ? page->slices : 1;
  }
}
