// SPDX-License-Identifier: MIT
//
// compiled with: MEND_HARDENED
#include "core/policy_hardened.h"

#include <string.h>

#include "base/fatal.h"
#include "core/chunk.h"
#include "core/heap.h"
#include "core/metadata.h"
#include "os/guard.h"
#include "os/system.h"

INTERNAL struct policy_heap policy_nothing;

static struct {
  _Atomic(uint32_t) fork_count;
  _Atomic(size_t) guard_mappings;  // caused by guards, where they are mappings
  struct os_lock lock;             // protects what follows
  struct rng rng;                  // of what belongs to no heap
} policy;

enum { LARGE_GUARD_OS_PAGES = 16, LARGE_QUARANTINE = 256, HUGE_QUARANTINE = 4 };
// Of addresses; what is in it holds no memory. As much for those that are huge.
#define LARGE_QUARANTINE_BYTES ((size_t)16 << 30)

static struct {
  struct os_lock lock;                                      // protects all of this
  struct page *places[LARGE_QUARANTINE + HUGE_QUARANTINE];  // the last ones are for huge ones
} large_quarantine;

// ---------------------------------------------------------------------------------------------
// Random numbers.

INTERNAL void policy_init(void)
{
  policy_seal_init();
  os_seed(&policy.rng);
}

INTERNAL void policy_after_fork(struct heap *heap)
{
  (void)os_lock_take_from_strangers(&policy.lock);
  (void)os_lock_take_from_strangers(&large_quarantine.lock);
  atomic_fetch_add_explicit(&policy.fork_count, 1, memory_order_relaxed);
  os_seed(&policy.rng);
  // A fork below a signal handler may have interrupted the drawing of a number.
  bool is_busy =
      heap_is_barred(heap) || atomic_load_explicit(&heap->policy->is_busy, memory_order_relaxed);
  if (heap->policy != POLICY_NOTHING && !is_busy) (void)policy_prepare(heap);
}

static uint64_t random_bits(unsigned count)
{
  if (os_lock_is_mine(&policy.lock)) return 0;  // below a signal handler
  os_lock_acquire(&policy.lock);
  uint64_t bits = rng_bits(&policy.rng, count);
  os_lock_release(&policy.lock);
  return bits;
}

INTERNAL bool policy_prepare(struct heap *heap)
{
  uint32_t fork_count = atomic_load_explicit(&policy.fork_count, memory_order_relaxed);
  bool is_new = heap->policy == POLICY_NOTHING;
  if (LIKELY(!is_new && heap->policy->fork_count == fork_count)) return true;
  struct policy_heap *own = is_new ? metadata_allocate(sizeof *own) : heap->policy;
  if (own == NULL) return false;
  os_seed(&own->rng);
  own->fork_count = fork_count;
  heap->policy = own;
  return true;
}

// ---------------------------------------------------------------------------------------------
// Guards. Where each costs mappings of its own, some pages have to go without.

enum { MAPPINGS_A_GUARD = 2 };

static bool install_guard(char *start, size_t bytes)
{
  bool is_free = os_guard_is_free_of_mappings();
  size_t cost = is_free ? 0 : MAPPINGS_A_GUARD;
  size_t before = atomic_fetch_add_explicit(&policy.guard_mappings, cost, memory_order_relaxed);
  if ((is_free || before + cost <= options.map_budget) && os_guard_install(start, bytes))
    return true;
  atomic_fetch_sub_explicit(&policy.guard_mappings, cost, memory_order_relaxed);
  return false;
}

static bool remove_guard(char *start, size_t bytes)
{
  if (!os_guard_remove(start, bytes)) return false;
  if (os_guard_is_free_of_mappings()) return true;
  // One that was made while they were free has not been counted.
  size_t before =
      atomic_fetch_sub_explicit(&policy.guard_mappings, MAPPINGS_A_GUARD, memory_order_relaxed);
  if (before < MAPPINGS_A_GUARD) {
    atomic_fetch_add_explicit(&policy.guard_mappings, MAPPINGS_A_GUARD, memory_order_relaxed);
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// Pages.

static size_t page_policy_bytes(const struct page *page, uint32_t word_count)
{
  return sizeof(struct policy_page) + word_count * sizeof(uint64_t) +
         page->capacity * sizeof(uint32_t);
}

INTERNAL _Atomic(uint64_t) *policy_make_words(struct page *page, uint32_t count)
{
  struct policy_page *own = metadata_allocate(page_policy_bytes(page, count));
  return own != NULL ? own->words : NULL;
}

INTERNAL void policy_free_words(struct page *page, uint32_t count)
{
  metadata_free(policy_of(page), page_policy_bytes(page, count));
}

// What faults of a page: the os page at its end, or all of it.
static char *guard_of(const struct page *page)
{
  size_t before = policy_of(page)->is_void ? 0 : page_run_bytes(page) - policy_guard_bytes();
  return page_start(page) + before;
}

static size_t guarded_bytes(const struct page *page)
{
  return (size_t)(page_start(page) + page_run_bytes(page) - guard_of(page));
}

// What the run has never held, it need not give back.
static void mark_purged(struct page *page)
{
  size_t os_pages = page_touched_bytes(page) / os_page_bytes();
  for (uint32_t n = 0; n * 64 < os_pages; n++) {
    policy_set_purged(page, n, bits_low_mask((unsigned)(os_pages - n * 64)));
  }
}

INTERNAL void policy_open_page(struct heap *heap, struct page *page)
{
  struct policy_page *own = policy_of(page);
  page->carved = page->capacity;
  own->secret = rng_bits(&heap->policy->rng, 64);
  own->reserved_slots = heap->has_objects ? 0 : 1;
  if (!heap->has_objects) page->first_word = rng_below(&heap->policy->rng, page->capacity) / 64;
  own->is_void = (heap->request.flags & PAGE_REQUEST_VOID) != 0;
  uint64_t reserved = bits_low_mask(own->reserved_slots);
  atomic_fetch_and_explicit(&page->words[0], ~reserved, memory_order_relaxed);
  if ((page->flags & PAGE_IS_ZERO) != 0) mark_purged(page);
  page->flags |= PAGE_IS_ZERO;
  if (options.harden >= 1 && install_guard(guard_of(page), guarded_bytes(page))) {
    page->flags |= PAGE_HAS_GUARD;
  }
}

INTERNAL bool policy_close_page(struct heap *heap, struct page *page, bool is_clean)
{
  policy_verify(page);
  if ((page->flags & PAGE_HAS_GUARD) != 0) {
    if (!remove_guard(guard_of(page), guarded_bytes(page))) return false;
    page->flags &= (uint8_t)~PAGE_HAS_GUARD;
  }
  if (!is_clean || heap->has_objects || options.harden < 2) {
    os_memory_purge(page_start(page), page_run_bytes(page));
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// Pools.

#define POOL_BYTES ((size_t)256 << 10)  // that come and go at a time, if they are enough blocks

enum {
  POOL_CHOICE = 256,  // of so many blocks one is chosen, if they are small
  POOL_LEAST = 4,
  POOL_MOST_STEP = 64,
};

// The pool of a class, made if need be; NULL if there is no memory.
static struct pool *open_pool(struct policy_heap *own, unsigned size_class)
{
  struct pool *pool = own->pools[size_class];
  if (LIKELY(pool != NULL)) return pool;
  pool = metadata_allocate(sizeof *pool);
  if (pool == NULL) return NULL;
  uint32_t fitting = (uint32_t)bits_larger(POOL_BYTES / size_class_bytes(size_class), POOL_LEAST);
  pool->step = (uint32_t)bits_smaller(fitting, POOL_MOST_STEP);
  if (options.harden >= 2)
    pool->low = size_class < SIZE_CLASS_SMALL_COUNT ? POOL_CHOICE : pool->step;
  pool->high = pool->low + 2 * pool->step;
  own->pools[size_class] = pool;
  return pool;
}

// Blocks on the way back to their pages, gathered by the words of the bitmaps that they are in.
enum { HOMEWARD_SLOTS = 16 };

struct homeward {
  uint32_t taken;
  struct {
    struct page *page;
    uint32_t word;
    uint64_t bits;
  } slots[HOMEWARD_SLOTS];
};

static void bring_home(struct homeward *homeward)
{
  for (; homeward->taken != 0; homeward->taken &= homeward->taken - 1) {
    unsigned i = bits_lowest(homeward->taken);
    remote_free_bits(homeward->slots[i].page, homeward->slots[i].word, homeward->slots[i].bits);
  }
}

static void send_home(struct homeward *homeward, void *block)
{
  struct page *page = page_first(page_of_units(page_units(block)));
  uint32_t index = page_kind(page) == PAGE_BITMAP ? page_block_index(page, block) : UINT32_MAX;
  if (index == UINT32_MAX) fatal("corrupted metadata", block);
  uint64_t bit = UINT64_C(1) << index % 64;
  unsigned i = (unsigned)(page_index(page) * 5 + index / 64) % HOMEWARD_SLOTS;
  bool is_taken = (homeward->taken >> i & 1) != 0;
  bool is_same =
      is_taken && homeward->slots[i].page == page && homeward->slots[i].word == index / 64;
  if (is_same && (homeward->slots[i].bits & bit) != 0) fatal("double free", block);
  if (is_same) {
    homeward->slots[i].bits |= bit;
    return;
  }
  if (is_taken) {
    remote_free_bits(homeward->slots[i].page, homeward->slots[i].word, homeward->slots[i].bits);
  }
  homeward->taken |= UINT32_C(1) << i;
  homeward->slots[i].page = page;
  homeward->slots[i].word = index / 64;
  homeward->slots[i].bits = bit;
}

// Gives those that were put in last back to their pages, all but `kept`.
static void shrink_pool(struct pool *pool, uint32_t kept)
{
  struct homeward homeward;
  homeward.taken = 0;
  while (pool->count > kept) send_home(&homeward, pool->blocks[--pool->count]);
  bring_home(&homeward);
}

static void empty_ring(struct pool *pool)
{
  struct homeward homeward;
  homeward.taken = 0;
  for (uint32_t i = 0; i < POOL_RING; i++) {
    if (pool->ring[i] != NULL) send_home(&homeward, pool->ring[i]);
    pool->ring[i] = NULL;
  }
  bring_home(&homeward);
}

INTERNAL void policy_return_all(struct heap *heap)
{
  struct policy_heap *own = heap->policy;
  if (atomic_load_explicit(&own->is_busy, memory_order_relaxed)) return;
  policy_set_busy(own, true);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    struct pool *pool = own->pools[i];
    if (pool == NULL) continue;
    shrink_pool(pool, 0);
    empty_ring(pool);
  }
  policy_set_busy(own, false);
}

// A pool that was just being changed may have a block twice, or one that went home.
static void bring_home_once(void *block)
{
  if (block == NULL) return;
  struct page *page = page_first(page_of_units(page_units(block)));
  uint32_t index = page_kind(page) == PAGE_BITMAP ? page_block_index(page, block) : UINT32_MAX;
  if (index == UINT32_MAX || !page_bitmap_is_live(page, index)) return;
  if (!policy_is_marked_live(page, index)) remote_free_bitmap(page, block, index);
}

INTERNAL void policy_inherit(struct heap *heap)
{
  struct policy_heap *own = heap->policy;
  if (own == POLICY_NOTHING || !atomic_load_explicit(&own->is_busy, memory_order_relaxed)) return;
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    struct pool *pool = own->pools[i];
    if (pool == NULL) continue;
    for (uint32_t j = 0; j < bits_smaller(pool->count, POOL_MOST); j++) {
      bring_home_once(pool->blocks[j]);
    }
    pool->count = 0;
    for (uint32_t j = 0; j < POOL_RING; j++) bring_home_once(pool->ring[j]);
    memset(pool->ring, 0, sizeof pool->ring);
  }
  policy_set_busy(own, false);
}

INTERNAL void policy_forget_all(struct heap *heap)
{
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    struct pool *pool = heap->policy->pools[i];
    if (pool == NULL) continue;
    pool->count = 0;
    memset(pool->ring, 0, sizeof pool->ring);
  }
}

INTERNAL void policy_put_slowly(struct heap *heap, struct page *page, void *block)
{
  // Blocks of a heap that may be destroyed do not wait with anybody else.
  bool may_wait = heap != NULL && !page->is_direct && policy_prepare(heap) &&
                  !atomic_load_explicit(&heap->policy->is_busy, memory_order_relaxed);
  if (may_wait) {
    policy_set_busy(heap->policy, true);
    struct pool *pool = open_pool(heap->policy, page->size_class);
    if (pool != NULL && pool->count >= pool->high) {
      shrink_pool(pool, pool->high - pool->step);
      if (pool->low > 0) policy_choose(heap->policy, pool);  // the chosen one is gone
    }
    policy_set_busy(heap->policy, false);
    if (policy_put(heap->policy, page->size_class, block)) return;
  }
  remote_free_bitmap(page, block, page_block_index(page, block));
}

INTERNAL uint32_t policy_waiting_places(const struct heap *heap, unsigned size_class)
{
  return heap->policy->pools[size_class] == NULL ? 0 : POOL_MOST + POOL_RING;
}

INTERNAL const void *policy_waiting(const struct heap *heap, unsigned size_class, uint32_t place)
{
  const struct pool *pool = heap->policy->pools[size_class];
  if (place >= POOL_MOST) return pool->ring[place - POOL_MOST];
  return place < pool->count ? pool->blocks[place] : NULL;
}

static void fill_from_word(struct pool *pool, struct page *page, uint32_t word, uint64_t bits)
{
  char *first = page_start(page) + word * 64 * page->block_bytes;
  for (; bits != 0; bits &= bits - 1) {
    pool->blocks[pool->count++] = first + bits_lowest(bits) * page->block_bytes;
  }
}

// Adds blocks until there are `enough`. False if there is no memory for any. Inside.
static bool fill_pool(struct heap *heap, unsigned size_class, uint32_t enough)
{
  struct policy_heap *own = heap->policy;
  struct pool *pool = own->pools[size_class];
  while (pool->count < enough) {
    struct page *page = heap_find_page(heap, size_class);
    if (page == NULL) return pool->count > 0;
    // One word after the other, so that what is used together lies together, as far as chance lets.
    uint32_t word = page->first_word + 1;
    uint64_t bits = page_bitmap_take_word(page, &word);
    heap_park_if_full(heap, page);
    policy_set_busy(own, true);
    fill_from_word(pool, page, word, bits);
    policy_set_busy(own, false);
  }
  return true;
}

INTERNAL void *policy_take_inside(struct heap *heap, unsigned size_class)
{
  if (!policy_prepare(heap)) return NULL;
  struct policy_heap *own = heap->policy;
  struct pool *pool = open_pool(own, size_class);
  if (pool == NULL) return NULL;
  void *block = policy_take(own, size_class);
  if (block != NULL) return block;
  if (atomic_load_explicit(&own->is_busy, memory_order_relaxed)) {
    return heap_take_many(heap, size_class, &block, 1) == 1 ? block : NULL;  // past the pool
  }
  if (!fill_pool(heap, size_class, pool->low + pool->step)) return NULL;
  policy_set_busy(own, true);
  // One of all, the new ones too; where there is no memory for more, of less than `low`. (A signal
  // handler may have taken them all.)
  if (pool->low > 0 && pool->count > 0) policy_choose(own, pool);
  if (pool->count > 0) block = pool->blocks[--pool->count];
  if (pool->low > 0 && pool->count > 0) policy_choose(own, pool);
  policy_set_busy(own, false);
  return block;
}

// ---------------------------------------------------------------------------------------------
// Large blocks.

INTERNAL struct policy_guards policy_choose_guards(bool is_object, size_t alignment)
{
  size_t unit = os_page_bytes();
  struct policy_guards guards = {0, 0};
  if (options.harden < 1 || is_object) return guards;
  size_t step = bits_larger(alignment, unit);
  size_t steps = (SLICE_BYTES - 1) / step;  // that fit before the end of the first slice
  if (steps > 0) guards.lead_bytes = (1 + random_bits(32) % steps) * step;
  guards.tail_bytes = (1 + random_bits(32) % LARGE_GUARD_OS_PAGES) * unit;
  return guards;
}

INTERNAL void policy_guard_large(struct page *page)
{
  if (options.harden < 1) return;
  size_t lead = policy_lead_bytes(page);
  char *end = page_start(page) + lead + page->block_bytes;
  size_t rest = (size_t)(page_start(page) + page_run_bytes(page) - end);
  bool is_renewed = (page->flags & PAGE_HAS_GUARD) != 0;
  // The one behind it counts for both, once.
  if (rest == 0 || !(is_renewed ? os_guard_install(end, rest) : install_guard(end, rest))) return;
  page->flags |= PAGE_HAS_GUARD;
  if (lead > 0) (void)os_guard_install(page_start(page), lead);
}

INTERNAL bool policy_open_more(struct page *page, size_t bytes)
{
  if ((page->flags & PAGE_HAS_GUARD) == 0) return true;
  char *end = page_start(page) + policy_lead_bytes(page) + page->block_bytes;
  return os_guard_remove(end, bytes - page->block_bytes);  // what is behind it counts as one still
}

// An object's has nothing beside it.
INTERNAL bool policy_open_large(struct page *page, struct policy_guards guards)
{
  page->words = NULL;
  if (guards.tail_bytes == 0 && options.harden >= 1) return true;
  page->words = policy_make_words(page, 0);
  if (page->words == NULL) return false;
  policy_of(page)->secret = random_bits(64);
  policy_of(page)->lead_bytes = (uint32_t)guards.lead_bytes;
  if (guards.tail_bytes > 0) policy_guard_large(page);
  policy_seal(page);
  return true;
}

// Makes the run as a source wants it back: accessible, and without memory. False if the kernel will
// not have that: then nobody gets it.
static bool close_large(struct page *page)
{
  if (page->words != NULL) policy_free_words(page, 0);
  page->words = NULL;
  bool has_guard = (page->flags & PAGE_HAS_GUARD) != 0;
  if (has_guard && !remove_guard(page_start(page), page_run_bytes(page))) return false;
  page->flags &= (uint8_t)~PAGE_HAS_GUARD;
  chunk_set_untouched(page);
  return true;
}

INTERNAL struct page *policy_retire_large(struct page *page)
{
  size_t bytes = page_run_bytes(page);
  // Without a guard around it it was beyond the budget, and would be as a whole.
  bool has_guard = (page->flags & PAGE_HAS_GUARD) != 0;
  bool is_huge = bytes > LARGE_QUARANTINE_BYTES / LARGE_QUARANTINE;
  bool is_kept = has_guard && !page_is_bound(page) &&
                 bytes <= LARGE_QUARANTINE_BYTES / HUGE_QUARANTINE &&
                 !os_lock_is_mine(&large_quarantine.lock);
  if (!is_kept || !os_guard_install(page_start(page), bytes)) {
    os_memory_purge(page_start(page), bytes);
    return close_large(page) ? page : NULL;
  }
  size_t first = is_huge ? LARGE_QUARANTINE : 0;
  size_t count = is_huge ? HUGE_QUARANTINE : LARGE_QUARANTINE;
  struct page **place = &large_quarantine.places[first + random_bits(32) % count];
  os_lock_acquire(&large_quarantine.lock);
  struct page *leaving = *place;
  *place = page;
  os_lock_release(&large_quarantine.lock);
  return leaving != NULL && close_large(leaving) ? leaving : NULL;
}

INTERNAL struct page *policy_let_go_large(void)
{
  struct page *leaving = NULL;
  if (os_lock_is_mine(&large_quarantine.lock)) return NULL;
  os_lock_acquire(&large_quarantine.lock);
  for (uint32_t i = 0; i < LARGE_QUARANTINE + HUGE_QUARANTINE && leaving == NULL; i++) {
    leaving = large_quarantine.places[i];
    large_quarantine.places[i] = NULL;
  }
  os_lock_release(&large_quarantine.lock);
  return leaving != NULL && close_large(leaving) ? leaving : NULL;
}
