// SPDX-License-Identifier: MIT
#include "core/runs.h"

#include "base/fatal.h"
#include "core/mapping.h"
#include "core/policy.h"

#define EXACT_ROWS 32
#define ROW_COUNT 136  // up to 2^31 slices
#define ROW_WORDS ((ROW_COUNT + 63) / 64)
#define FIT_ATTEMPTS 16  // runs of a wide row that are looked at

// Free runs of one kind.
struct run_set {
  struct list rows[ROW_COUNT];
  uint64_t occupied[ROW_WORDS];  // bit a row that is not empty
};

static struct {
  struct run_set dirty;
  struct run_set clean;
  struct list order;  // dirty runs; see runs_expire
  size_t dirty_bytes;
  size_t frontier;
} runs;

INTERNAL size_t runs_frontier(void)
{
  return runs.frontier;
}

INTERNAL void runs_set_frontier(size_t slices)
{
  runs.frontier = slices;
}

INTERNAL size_t runs_dirty_bytes(void)
{
  return runs.dirty_bytes;
}

// ---------------------------------------------------------------------------------------------
// Rows.

static unsigned row_of(size_t slices)
{
  if (slices <= EXACT_ROWS) return (unsigned)slices - 1;
  unsigned exponent = bits_highest(slices);
  return EXACT_ROWS + (exponent - 5) * 4 + (unsigned)(slices >> (exponent - 2) & 3);
}

static void init_set(struct run_set *set)
{
  for (unsigned i = 0; i < ROW_COUNT; i++) list_init(&set->rows[i]);
  for (unsigned i = 0; i < ROW_WORDS; i++) set->occupied[i] = 0;
}

INTERNAL void runs_init(void)
{
  init_set(&runs.dirty);
  init_set(&runs.clean);
  list_init(&runs.order);
  runs.dirty_bytes = 0;
}

static struct run_set *set_of(const struct page *run)
{
  return run_is_dirty(run) ? &runs.dirty : &runs.clean;
}

// Marks both ends and files the run.
static void insert_run(struct page *run)
{
  struct page *last = run + run->slices - 1;
  last->slices = run->slices;
  page_set_kind(run, PAGE_FREE);
  page_set_kind(last, PAGE_FREE);
  struct run_set *set = set_of(run);
  unsigned row = row_of(run->slices);
  list_push_front(&set->rows[row], &run->link);
  set->occupied[row / 64] |= UINT64_C(1) << row % 64;
  if (run_is_dirty(run)) {
    list_push_back(&runs.order, &run->chain);
    runs.dirty_bytes += run->block_bytes;
  }
  policy_seal_run(run);
}

static void remove_run(struct page *run)
{
  policy_verify_run(run);
  struct run_set *set = set_of(run);
  unsigned row = row_of(run->slices);
  list_remove(&run->link);
  if (list_is_empty(&set->rows[row])) set->occupied[row / 64] &= ~(UINT64_C(1) << row % 64);
  if (run_is_dirty(run)) {
    list_remove(&run->chain);
    runs.dirty_bytes -= run->block_bytes;
  }
  page_set_kind(run, PAGE_NONE);
  page_set_kind(run + run->slices - 1, PAGE_NONE);
}

// The first occupied row from `row` on, or ROW_COUNT.
static unsigned next_occupied(const struct run_set *set, unsigned row)
{
  for (unsigned word = row / 64; word < ROW_WORDS; word++) {
    uint64_t bits = set->occupied[word];
    if (word == row / 64) bits &= ~bits_low_mask(row % 64);
    if (bits != 0) return word * 64 + bits_lowest(bits);
  }
  return ROW_COUNT;
}

// A run of at least `slices`, nearly the shortest there is.
static struct page *find_run(struct run_set *set, size_t slices)
{
  unsigned row = row_of(slices);
  if (slices > EXACT_ROWS) {
    unsigned attempts = FIT_ATTEMPTS;
    struct list *head = &set->rows[row];
    for (struct list *at = head->next; at != head && attempts > 0; at = at->next, attempts--) {
      struct page *run = CONTAINER_OF(at, struct page, link);
      if (run->slices >= slices) return run;
    }
    row++;
  }
  row = next_occupied(set, row);
  if (row == ROW_COUNT) return NULL;
  return CONTAINER_OF(set->rows[row].next, struct page, link);
}

// ---------------------------------------------------------------------------------------------
// Cutting and merging.

// Splits a run that is in no row after `slices`, and files the rest, which may have become clean by
// that.
static void cut_run(struct page *run, uint32_t slices)
{
  if (run->slices == slices) return;
  struct page *rest = run + slices;
  // The rest must not be said to hold more than it is long, though that is rounded.
  size_t rest_bytes = (size_t)(run->slices - slices) << SLICE_SHIFT;
  size_t least = run->block_bytes - bits_smaller(run->block_bytes, rest_bytes);
  size_t share = bits_larger(run->block_bytes / run->slices * slices, least);
  rest->slices = run->slices - slices;
  rest->flags = run->flags;
  rest->freed_at_ms = run->freed_at_ms;
  rest->block_bytes = run->block_bytes - share;
  run->slices = slices;
  run->block_bytes = share;
  mapping_cut_off(rest);
  if (!run_is_dirty(rest)) rest->block_bytes = 0;
  runs_free(rest);
}

static bool can_merge(const struct page *a, const struct page *b)
{
  return run_is_dirty(a) == run_is_dirty(b);
}

// Merges two neighbours that are in no row. The longer one's age is the whole's: a little that
// comes and goes at the edge of an old run must not keep that young for ever.
static struct page *join(struct page *left, struct page *right)
{
  if (right->slices > left->slices) left->freed_at_ms = right->freed_at_ms;
  uint8_t is_zero = left->flags & right->flags & PAGE_IS_ZERO;
  mapping_join(left, right);
  left->flags = (uint8_t)((left->flags & PAGE_IS_SPLIT) | is_zero);
  left->slices += right->slices;
  left->block_bytes += right->block_bytes;
  return left;
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
  if (page_index(slice) >= runs.frontier || page_kind(slice) != PAGE_FREE) return NULL;
  return slice;
}

INTERNAL struct page *runs_tail(void)
{
  struct page *end = &region.pages[runs.frontier];
  struct page *last = run_before(end);
  return last != NULL && !run_is_dirty(last) ? last : end;
}

// The run, merged with the one before it if that is of the same kind.
static struct page *join_before(struct page *run)
{
  struct page *before = run_before(run);
  if (before == NULL || !can_merge(before, run)) return run;
  remove_run(before);
  return join(before, run);
}

INTERNAL void runs_free(struct page *run)
{
  run = join_before(run);
  struct page *after = run_from(run + run->slices);
  if (after != NULL && can_merge(run, after)) {
    remove_run(after);
    run = join(run, after);
  }
  insert_run(run);
}

INTERNAL uint32_t run_skip(const struct page *slice, uint32_t alignment)
{
  uintptr_t number = (uintptr_t)page_start(slice) >> SLICE_SHIFT;
  return (uint32_t)(bits_align_up(number, alignment) - number);
}

// ---------------------------------------------------------------------------------------------
// Taking.

// A run in which `slices` fit at a multiple of the alignment. Blocks of the same kind come and go:
// runs that were aligned once are tried before longer ones.
static struct page *find_aligned_run(struct run_set *set, uint32_t slices, uint32_t alignment)
{
  struct page *run = find_run(set, slices);
  if (run == NULL || run_skip(run, alignment) + slices <= run->slices) return run;
  unsigned attempts = FIT_ATTEMPTS;
  struct list *head = &set->rows[row_of(run->slices)];
  for (struct list *at = head->next; at != head && attempts > 0; at = at->next, attempts--) {
    run = CONTAINER_OF(at, struct page, link);
    if (run_skip(run, alignment) + slices <= run->slices) return run;
  }
  return find_run(set, (size_t)slices + alignment - 1);
}

// Cuts a run out of a longer one so that it starts at a multiple of the alignment.
static struct page *take_out_of(struct page *run, uint32_t slices, uint32_t alignment)
{
  remove_run(run);
  uint32_t skipped = run_skip(run, alignment);
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

INTERNAL struct page *runs_take(bool is_dirty, uint32_t slices, uint32_t alignment)
{
  struct run_set *set = is_dirty ? &runs.dirty : &runs.clean;
  struct page *run = find_aligned_run(set, slices, alignment);
  return run != NULL ? take_out_of(run, slices, alignment) : NULL;
}

INTERNAL struct page *runs_take_at(struct page *slice, uint32_t slices, uint32_t alignment)
{
  struct page *run = run_from(slice);
  if (run == NULL || run->slices < run_skip(run, alignment) + slices) return NULL;
  return take_out_of(run, slices, alignment);
}

// Of neighbouring free runs, of whatever kinds, the first of which is given, cuts a stretch out
// that they cover and makes it one run in no row.
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

// A stretch of neighbouring free runs, dirty and clean ones, around a dirty one. No more of them
// are looked at than are sure to do.
static struct page *take_around(struct page *run, uint32_t slices, uint32_t alignment)
{
  struct page *start = run;
  struct page *end = run + run->slices;
  ptrdiff_t enough = (ptrdiff_t)slices + alignment - 1;
  for (struct page *next; end - start < enough && (next = run_from(end)) != NULL;) {
    end = next + next->slices;
  }
  for (struct page *before; end - start < enough && (before = run_before(start)) != NULL;) {
    start = before;
  }
  struct page *first = start + run_skip(start, alignment);
  return end - first >= (ptrdiff_t)slices ? join_stretch(start, first, slices) : NULL;
}

// No dirty run is long enough: one that has free neighbours may do, which saves the memory that it
// holds from being purged to make room for as much elsewhere.
INTERNAL struct page *runs_take_mixed(uint32_t slices, uint32_t alignment)
{
  unsigned attempts = FIT_ATTEMPTS;
  for (unsigned row = row_of(slices) + 1; row-- > 0 && attempts > 0;) {
    struct list *head = &runs.dirty.rows[row];
    for (struct list *at = head->next; at != head && attempts > 0; at = at->next, attempts--) {
      struct page *run = take_around(CONTAINER_OF(at, struct page, link), slices, alignment);
      if (run != NULL) return run;
    }
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------------

INTERNAL void runs_expire(uint32_t now_ms, size_t delay_ms)
{
  struct list *next;
  for (struct list *at = runs.order.next; at != &runs.order; at = next) {
    next = at->next;
    if (!run_has_expired(CONTAINER_OF(at, struct page, chain), now_ms, delay_ms)) continue;
    list_remove(at);
    list_push_front(&runs.order, at);
  }
}

INTERNAL struct page *runs_first(void)
{
  return list_is_empty(&runs.order) ? NULL : CONTAINER_OF(runs.order.next, struct page, chain);
}

INTERNAL struct page *runs_take_first(void)
{
  struct page *run = runs_first();
  if (run != NULL) remove_run(run);
  return run;
}

// What is true of each filed run, besides that it is in its row.
static void assert_run_valid(struct page *run)
{
  struct page *last = run + run->slices - 1;
  struct page *after = run_from(last + 1);
  ASSERT(page_kind(run) == PAGE_FREE && page_kind(last) == PAGE_FREE);
  ASSERT(last->slices == run->slices);
  ASSERT(run->block_bytes <= page_run_bytes(run));
  for (struct page *slice = run + 1; slice < last; slice++) ASSERT(page_kind(slice) == PAGE_NONE);
  ASSERT(run_is_dirty(run) || run->block_bytes == 0);
  ASSERT(after == NULL || !can_merge(run, after));
  (void)last, (void)after;
  mapping_assert_valid(run);
}

// What the runs of a set are together.
struct run_sums {
  size_t runs;
  size_t slices;
  size_t held_bytes;
};

static struct run_sums assert_set_valid(struct run_set *set)
{
  struct run_sums sums = {0};
  for (unsigned row = 0; row < ROW_COUNT; row++) {
    bool is_marked = (set->occupied[row / 64] >> row % 64 & 1) != 0;
    ASSERT(is_marked == !list_is_empty(&set->rows[row]));
    (void)is_marked;
    for (struct list *at = set->rows[row].next; at != &set->rows[row]; at = at->next) {
      struct page *run = CONTAINER_OF(at, struct page, link);
      ASSERT(row_of(run->slices) == row && set_of(run) == set);
      assert_run_valid(run);
      sums.runs++;
      sums.slices += run->slices;
      sums.held_bytes += run->block_bytes;
    }
  }
  return sums;
}

INTERNAL size_t runs_assert_valid(void)
{
  struct run_sums dirty = assert_set_valid(&runs.dirty);
  struct run_sums clean = assert_set_valid(&runs.clean);
  size_t ordered = 0;
  for (struct list *at = runs.order.next; at != &runs.order; at = at->next, ordered++) {
    struct page *run = CONTAINER_OF(at, struct page, chain);
    ASSERT(run_is_dirty(run) && page_kind(run) == PAGE_FREE);
    (void)run;
  }
  ASSERT(ordered == dirty.runs && runs.dirty_bytes == dirty.held_bytes);
  return dirty.slices + clean.slices;
}

INTERNAL uint32_t runs_refile(struct page *run)
{
  size_t rest = runs.frontier - page_index(run);
  uint32_t slices = run->slices;
  struct page *last = run + slices - 1;
  bool was_leaving = page_kind(run) == PAGE_NONE;
  bool is_whole = slices >= 1 && slices <= rest &&
                  (was_leaving || (page_kind(last) == PAGE_FREE && last->slices == slices));
  if (!is_whole) {
    page_set_kind(run, PAGE_NONE);
    return 0;
  }
  run->flags &= (uint8_t)~PAGE_IS_LEAVING;
  page_set_kind(run, PAGE_NONE);
  page_set_kind(last, PAGE_NONE);
  insert_run(join_before(run));
  return slices;
}
