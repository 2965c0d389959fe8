// SPDX-License-Identifier: MIT
//
// The hardened policy. All pages are bitmap pages, and nothing of ours lies in the memory that a
// program's bug can reach. Beside its bitmap each page has, among the metadata, a *record* a slot
// (what a record says is up to the layer above), a secret, and a keyed check of what its descriptor
// says, which the slow paths verify.
//
// A page ends in a guard, an os page that faults; its first slot is never used, so that each block
// has a neighbour before it whose end can be looked at. A large block starts some random os pages
// into its run and is followed by some; both faults.
//
// Free memory reads as zero from level 2 on: blocks are wiped when they are freed (by the layer
// above), and what objects and destroyed heaps leave is purged.
#ifndef CORE_POLICY_HARDENED_H
#define CORE_POLICY_HARDENED_H

#include "base/options.h"
#include "base/rng.h"
#include "base/size_class.h"
#include "core/page.h"
#include "os/memory.h"

struct heap;

#define POLICY_PURGED_BITS 512
#define POLICY_PURGED_WORDS (POLICY_PURGED_BITS / 64)
#define POLICY_FREE_IS_ZERO 1

// Beside a page's bitmap; the records lie behind that.
struct policy_page {
  uint64_t secret;                       // of this page
  uint64_t check;                        // of its descriptor; see policy_seal
  size_t size;                           // LARGE: what was asked for
  uint32_t lead_bytes;                   // LARGE: the guard before the block
  uint16_t reserved_slots;               // 1, or 0 of objects
  bool is_void;                          // its blocks cannot be touched
  uint64_t purged[POLICY_PURGED_WORDS];  // os pages that hold no memory
  _Atomic(uint64_t) words[];             // the bitmap
};

// The free blocks of a class that a thread has at hand. What is taken is any one of them, and from
// level 2 on there are always so many that chance has a choice: `low` stay, whatever is asked for.
// It is chosen one call before, and is the last one meanwhile, so that what is read of it can be on
// its way to the cache. From level 3 on a freed block waits in a ring before, where all keep their
// order.
enum { POOL_MOST = 448, POOL_RING = 256 };

struct pool {
  uint32_t count;
  uint32_t low;   // blocks that are to stay while there is memory
  uint32_t high;  // the most
  uint32_t step;  // what comes and goes at a time
  uint32_t ring_at;
  void *blocks[POOL_MOST];
  void *ring[POOL_RING];
};

// Beside a heap. (Owner)
struct policy_heap {
  struct rng rng;
  uint32_t fork_count;                   // when it was seeded
  _Atomic(bool) is_busy;                 // a signal handler has interrupted what must not be
  uint32_t countdown;                    // allocations until one is guarded, or 0
  struct pool *pools[SIZE_CLASS_COUNT];  // NULL: nothing of that class was needed yet
};

static inline size_t policy_guard_bytes(void)
{
  return os_page_bytes();
}

static inline struct policy_page *policy_of(const struct page *page)
{
  return (struct policy_page *)(void *)((char *)page->words - offsetof(struct policy_page, words));
}

static inline _Atomic(uint32_t) *policy_record(const struct page *page, uint32_t index)
{
  uint32_t word_count = ((uint32_t)page->capacity + 63) / 64;
  return (_Atomic(uint32_t) *)(void *)(page->words + word_count) + index;
}

// Whether a record says that its block is in use; the rest of it is the layer's above.
static inline bool policy_is_marked_live(const struct page *page, uint32_t index)
{
  return (atomic_load_explicit(policy_record(page, index), memory_order_relaxed) & 1) != 0;
}

static inline uint32_t policy_reserved_slots(const struct page *page)
{
  return policy_of(page)->reserved_slots;
}

static inline bool policy_is_void(const struct page *page)
{
  return page->words != NULL && policy_of(page)->is_void;
}

static inline uint64_t policy_purged(const struct page *page, uint32_t n)
{
  return policy_of(page)->purged[n];
}

static inline void policy_set_purged(struct page *page, uint32_t n, uint64_t bits)
{
  policy_of(page)->purged[n] = bits;
}

// Once, before the first page.
INTERNAL void policy_init(void);
// In the child of a fork: its random numbers are to be others. Those of `heap`, the forking
// thread's, are so at once, since its fast paths draw them; each other heap's from its next slow
// path on.
INTERNAL void policy_after_fork(struct heap *heap);

INTERNAL _Atomic(uint64_t) *policy_make_words(struct page *page, uint32_t count);
INTERNAL void policy_free_words(struct page *page, uint32_t count);

// A page of a heap is about to be used: secret, reserved slot, guard, memory. Inside the heap.
INTERNAL void policy_open_page(struct heap *heap, struct page *page);
// It is not used any more: makes its memory such as free memory has to be. `is_clean`: its blocks
// have all been freed one by one. False if the kernel will not have that: then nobody gets it.
INTERNAL bool policy_close_page(struct heap *heap, struct page *page, bool is_clean);
// Once, before the first page: chooses the key of the check.
INTERNAL void policy_seal_init(void);
// Computes the check anew, after a change of what it covers: all that stays while a page is in use.
INTERNAL void policy_seal(struct page *page);
// Whether the descriptor is as it was when it was sealed. The second ends the process if it is not.
INTERNAL bool policy_is_sealed(const struct page *page);
INTERNAL void policy_verify(struct page *page);
// The same of a page that a list of this heap has led to, which must be one of its own. Inside.
INTERNAL void policy_verify_listed(struct heap *heap, struct page *page);
// The same of an address that is to be a heap's, and of a posted page's.
INTERNAL void policy_verify_heap(const struct heap *heap, const struct page *page);
// The same of these free blocks of a word: they are none, or the layer above has them in use.
INTERNAL void policy_verify_free(struct page *page, uint32_t word, uint64_t bits, uint64_t valid);
// Of a page that counts no block in use: all its blocks must be free.
INTERNAL void policy_verify_unused(struct page *page);
// A free run in a row, and the end of it. With the chunk lock.
INTERNAL void policy_seal_run(struct page *run);
INTERNAL void policy_verify_run(const struct page *run);

// What a heap has that was never used: all pools are empty, and have no room.
INTERNAL_DATA struct policy_heap policy_nothing;
#define POLICY_NOTHING (&policy_nothing)
// Makes what a heap has beside it; false if there is no memory. Inside, or the owner.
INTERNAL bool policy_prepare(struct heap *heap);

static inline void policy_set_busy(struct policy_heap *own, bool is_busy)
{
  atomic_signal_fence(memory_order_seq_cst);
  atomic_store_explicit(&own->is_busy, is_busy, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
}

// Chooses which block goes next. (Of 2^16 numbers some places have one more than others.)
static inline void policy_choose(struct policy_heap *own, struct pool *pool)
{
  uint32_t last = pool->count - 1;
  uint32_t place = (uint32_t)(rng_bits(&own->rng, 16) * pool->count >> 16);
  char *chosen = pool->blocks[place];
  pool->blocks[place] = pool->blocks[last];
  pool->blocks[last] = chosen;
  struct page *page = page_first(page_of_units(page_units(chosen)));
  __builtin_prefetch(policy_record(page, page_block_index(page, chosen)), 1);
  __builtin_prefetch(chosen, 1);
}

// A block out of the pool; NULL if there are not enough: then heap_take. (Owner)
static inline void *policy_take(struct policy_heap *own, unsigned size_class)
{
  struct pool *pool = own->pools[size_class];
  uint32_t count = LIKELY(pool != NULL) ? pool->count : 0;
  if (UNLIKELY(count == 0 || count <= pool->low ||
               atomic_load_explicit(&own->is_busy, memory_order_relaxed))) {
    return NULL;
  }
  policy_set_busy(own, true);
  void *block = pool->blocks[--count];
  pool->count = count;
  if (pool->low > 0) policy_choose(own, pool);
  policy_set_busy(own, false);
  return block;
}

// Puts a freed block in. False if there is no room: then policy_put_slowly. (Owner)
static inline bool policy_put(struct policy_heap *own, unsigned size_class, void *block)
{
  struct pool *pool = own->pools[size_class];
  if (UNLIKELY(pool == NULL || pool->count >= pool->high ||
               atomic_load_explicit(&own->is_busy, memory_order_relaxed))) {
    return false;
  }
  policy_set_busy(own, true);
  if (UNLIKELY(options.harden >= 3)) {
    void *oldest = pool->ring[pool->ring_at];
    pool->ring[pool->ring_at] = block;
    pool->ring_at = (pool->ring_at + 1) % pool->low;
    block = oldest;
  }
  if (LIKELY(block != NULL)) {
    uint32_t count = pool->count;
    uint32_t place = count > 0 && pool->low > 0 ? count - 1 : count;
    pool->blocks[count] = pool->blocks[place];
    pool->blocks[place] = block;
    pool->count = count + 1;
  }
  policy_set_busy(own, false);
  return true;
}

// Makes room, and puts it in; or gives it to its page at once if it may not wait. (Owner, or `heap`
// is NULL)
INTERNAL void policy_put_slowly(struct heap *heap, struct page *page, void *block);
// As heap_take_inside.
INTERNAL void *policy_take_inside(struct heap *heap, unsigned size_class);
// Empties all pools. Inside; the owner, or who may say so of a shared heap.
INTERNAL void policy_return_all(struct heap *heap);
// In the child of a fork, of a heap whose thread it does not have, and that nobody was inside of:
// what that thread was just doing to a pool is undone.
INTERNAL void policy_inherit(struct heap *heap);
// Forgets what is in them: the pages are gone. Inside.
INTERNAL void policy_forget_all(struct heap *heap);

// Of the places where blocks of a class wait in a heap's pool: how many there are, and the block in
// one of them, or NULL. Inside; the owner, or of a shared heap.
INTERNAL uint32_t policy_waiting_places(const struct heap *heap, unsigned size_class);
INTERNAL const void *policy_waiting(const struct heap *heap, unsigned size_class, uint32_t place);
// Whether a block in that place was freed and is kept from use.
static inline bool policy_is_quarantine(uint32_t place)
{
  return place >= POOL_MOST;
}

// How large the guards before and behind it are to be.
struct policy_guards {
  size_t lead_bytes;  // less than a slice
  size_t tail_bytes;  // at least
};
INTERNAL struct policy_guards policy_choose_guards(bool is_object, size_t alignment);
// False if there is no memory.
INTERNAL bool policy_open_large(struct page *page, struct policy_guards guards);
// Makes what surrounds the block inaccessible.
INTERNAL void policy_guard_large(struct page *page);
// Makes what the block is to hold accessible, where more than before. The guard behind it is to be
// made anew. False if the kernel will not have that.
INTERNAL bool policy_open_more(struct page *page, size_t bytes);
// The block is free: makes it inaccessible, and returns a page that has been so for long, for the
// caller to give back, or NULL.
INTERNAL struct page *policy_retire_large(struct page *page);
static inline bool policy_is_surrounded(const struct page *page)
{
  return page->words != NULL;  // objects have nothing beside them
}

// The guard before a large block.
static inline size_t policy_lead_bytes(const struct page *page)
{
  return page->words != NULL ? policy_of(page)->lead_bytes : 0;  // objects have none
}
// One of those that are kept so, likewise; NULL if there is none.
INTERNAL struct page *policy_let_go_large(void);

#endif
