// SPDX-License-Identifier: MIT
//
// A heap: one thread's pages, by class, and the bins that its fast paths work on.
//
// Two functions run a billion times, and both are here: heap_take_small pops a block off the bin of
// its class, and heap_free pushes one onto it, whichever heap's page the block is from: what was
// used last is in this core's cache. Neither locks, and neither tests whether the thread has a heap
// yet, or whether the page is one that needs a closer look: until it has one it uses heap_empty,
// and for those pages there is bin 0; their bins are empty and have no room. A bin that has no room
// left gives what has lain in it longest back to the pages, each block to its own.
//
// Everything else happens inside the heap (heap_enter), where one thread is at a time: its owner,
// for whom that costs next to nothing, in every slow path; other threads briefly, to give back what
// an idle owner cannot: see remote.c and registry.c. Whoever is inside may touch everything but the
// bins and shelves, which the owner works on outside as well.
//
// There are two kinds of heap. A thread's heap belongs to the thread whose id is its owner word. A
// shared heap has OWNER_SHARED for that: it has no fast path, everybody goes inside. Such are the
// first-class heaps and the common heap, which takes over the pages of threads that end.
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include "base/size_class.h"
#include "core/bin.h"
#include "core/page_bitmap.h"
#include "core/page_list.h"
#include "core/remote.h"
#include "core/sampling.h"
#include "core/source.h"

// Values of a heap's owner that are no thread's id.
enum { OWNER_NOBODY = 0, OWNER_SHARED = 2 };

struct heap {
  struct bin bins[BIN_COUNT];                     // bin 0 has no room (owner; shared: inside)
  struct shelf shelves[SIZE_CLASS_MEDIUM_COUNT];  // (owner; shared: nothing is put in)
  struct policy_heap *policy;                     // what the hardened policy has beside (owner)
  uint32_t rations[SIZE_CLASS_SMALL_COUNT];       // what is left, but for what lies in the bins
  uint32_t bins_state;              // of `sampling`, in which they were filled (owner)
  _Atomic(uint32_t) wanted_state;   // in which they are to be (written inside)
  struct sampling_chance chance;    // of its blocks to become samples (owner)
  _Atomic(uintptr_t) owner;         // thread id, OWNER_SHARED or OWNER_NOBODY
  _Atomic(uint32_t) thread_number;  // the owner's for the kernel; 0: not known
  bool adopts;                      // takes pages that ended threads left
  bool keeps_unused;                // one unused page of a class rather than none
  bool is_direct;       // frees into its pages go there at once: the page may go at any time
  bool has_objects;     // its pages are bitmap pages of objects (a shared heap's; page.h)
  bool has_samples;     // the sampling heap: a free into its pages is always looked at
  _Atomic(bool) wipes;  // a block of it is zeroed when it is freed (a first-class heap's)
  _Atomic(uint32_t) slow_calls;  // since the last look at the clock (owner)
  uint32_t tidied_ms;            // when its bins were last emptied (owner)

  _Atomic(size_t) large_bytes;   // large blocks: allocated less freed by this thread, modulo 2^64
  _Atomic(size_t) large_blocks;  // and how many of them (owner writes)

  struct os_gate gate;                  // protects the rest, and all pages in `pages`
  _Atomic(bool) may_hold_unused;        // pages kept though no block of theirs is out
  _Atomic(uint64_t) queued[2];          // bit a class: its queue may hold a page (any thread reads)
  struct list queue[SIZE_CLASS_COUNT];  // pages that have free blocks; the longest queued first
  struct list pages;                    // all of its pages, by `chain`
  struct list large;                    // PAGE_LARGE of a first-class heap, by `chain`
  _Atomic(struct page *) large_freed;   // of those, what has been freed since: see large_free
  size_t purged_at_bytes;               // the peak at which free memory was last purged for growth
  const struct page_source *source;
  struct page_request request;       // with every request to the source
  _Atomic(struct page *) inbox;      // pages posted by other threads
  _Atomic(uint32_t) unused_posts;    // posts of unused pages since the inbox was read
  struct heap *next;                 // in the registry, for ever
  const struct heap *self;           // in the registry, the common one, lanes: this heap
  _Atomic(uint32_t) is_taken;        // has a thread or a user; else it waits for one
  bool is_given_up;                  // since a fork: see registry.c
  _Atomic(struct heap *) successor;  // first-class and given up: what serves in its place
};

// The calling thread's heap; heap_empty until the first slow path, and after the thread's end.
#ifdef MEND_ONE_FILE
static struct heap heap_empty;
static _Thread_local struct heap *heap_current = &heap_empty;
#else
extern __attribute__((visibility("hidden"))) struct heap heap_empty;
extern _Thread_local struct heap *heap_current
    __attribute__((visibility("hidden"), tls_model("initial-exec")));
#endif

// Whether the blocks of a page that has some are objects, which only the layer above frees.
static inline bool heap_page_has_objects(struct page *page)
{
  const struct heap *heap = page_heap(page);
  return heap != NULL && heap->has_objects;
}

// Whether it is one of the sampling heap, every block of which that is out has a record.
static inline bool heap_page_has_samples(struct page *page)
{
  const struct heap *heap = page_heap(page);
  return heap != NULL && heap->has_samples;
}

static inline struct bin *heap_bin(struct heap *heap, unsigned size_class)
{
  return &heap->bins[1 + size_class];
}

// The second bin of a class, which takes what is freed while that is not the first (sampling.h).
static inline struct bin *heap_freed_bin(struct heap *heap, unsigned size_class)
{
  return &heap->bins[1 + SIZE_CLASS_SMALL_COUNT + size_class];
}

// The same for a request.
static inline struct bin *heap_freed_bin_for(struct heap *heap, size_t size)
{
  return bin_at(heap->bins + SIZE_CLASS_SMALL_COUNT, bin_offset_of_units[(size + 15) >> 4]);
}

// The bin that takes the blocks of a page; bin 0 for slices whose blocks no bin takes.
static inline struct bin *heap_bin_of_page(struct heap *heap, const struct page *slice)
{
  return bin_at(heap->bins, page_bin_offset(slice));
}

// A block for a request of at most SIZE_CLASS_SMALL_BYTES from the bin of its class, or NULL: then
// heap_take. (Owner)
static inline struct block *heap_take_small(struct heap *heap, size_t size)
{
  return bin_take(bin_at(heap->bins, bin_offset_of_units[(size + 15) >> 4]));
}

// A block of a medium class from its shelf, or NULL: then heap_take. (Owner)
static inline void *heap_take_medium(struct heap *heap, unsigned size_class)
{
  return shelf_take(&heap->shelves[size_class - SIZE_CLASS_SMALL_COUNT]);
}

// Puts a block into the bin that takes those of its slice. Returns false if there is no room: then
// heap_refused, and heap_put if it is a list page's. (Owner)
static inline bool heap_free(struct heap *heap, const struct page *slice, void *block)
{
  return bin_put(heap_bin_of_page(heap, slice), block);
}

static inline void heap_refused(struct heap *heap, const struct page *slice)
{
  bin_refused(heap_bin_of_page(heap, slice));
}

static inline uintptr_t heap_owner(const struct heap *heap)
{
  return atomic_load_explicit(&heap->owner, memory_order_relaxed);
}

// Goes inside, waiting for whoever is there.
static inline void heap_enter(struct heap *heap)
{
  if (LIKELY(heap_owner(heap) == os_thread_id())) {
    os_gate_enter_as_owner(&heap->gate);
  } else {
    os_gate_enter(&heap->gate, &heap->owner);
  }
}

static inline void heap_leave(struct heap *heap)
{
  if (LIKELY(heap_owner(heap) == os_thread_id())) {
    os_gate_leave_as_owner(&heap->gate);
  } else {
    os_gate_leave(&heap->gate);
  }
}

// Goes inside unless somebody is there. Not for the owner.
static inline bool heap_try_enter(struct heap *heap)
{
  return os_gate_try_enter(&heap->gate, &heap->owner);
}

// Whether the calling thread must not enter: because it is below a signal handler that has
// interrupted it inside, or because the heap has been given up.
static inline bool heap_is_barred(struct heap *heap)
{
  return heap->is_given_up || os_gate_is_mine(&heap->gate, heap_owner(heap) == os_thread_id());
}

// Fields of a heap that nobody knows yet.
INTERNAL void heap_init(struct heap *heap, uintptr_t owner, const struct page_source *source);
// A block of a class, by the owner or any user of a shared heap; NULL if there is no memory.
// *is_zero (may be NULL) tells whether it is known to read as zero.
INTERNAL void *heap_take(struct heap *heap, unsigned size_class, bool *is_zero);
// The same for who is inside already.
INTERNAL void *heap_take_inside(struct heap *heap, unsigned size_class, bool *is_zero);
// A small block that was freed before, where all there is to do is to make the bin of freed blocks
// the one that they are taken from (SAMPLED); else NULL: then heap_take. (Owner)
INTERNAL struct block *heap_turn_over(struct heap *heap, unsigned size_class);
// Up to `count` blocks of a class from pages that have free blocks, new pages only if there are
// none: the number taken, 0 if there is no memory. Inside.
INTERNAL uint32_t heap_take_many(struct heap *heap, unsigned size_class, void **blocks,
                                 uint32_t count);
// A page of the class that has free blocks; NULL if there is no memory. Inside.
INTERNAL struct page *heap_find_page(struct heap *heap, unsigned size_class);
// Blocks were taken from the page: parks it if none is left. Inside.
INTERNAL void heap_park_if_full(struct heap *heap, struct page *page);
// Closes a bitmap page to allocation: it stays, even when nothing in it is in use, until it is
// opened again. Meanwhile `link` is the caller's. Inside.
INTERNAL void heap_close_page(struct heap *heap, struct page *page);
INTERNAL void heap_open_page(struct heap *heap, struct page *page);
// Frees a block of a list page whose blocks may lie in bins: makes room for it first. (Owner)
INTERNAL void heap_put(struct heap *heap, struct page *page, struct block *block);
// Frees a block of a bitmap page. `heap` is the thread's own, or NULL.
INTERNAL void heap_put_medium(struct heap *heap, struct page *page, void *block, uint32_t index);
// Whether a block of a bitmap page is in use, for all that the thread's own heap (or NULL) knows.
INTERNAL bool heap_is_live(struct heap *heap, struct page *page, const void *block, uint32_t index);

// Empties bins and shelves. (Owner, or any user of a shared heap.) Inside.
INTERNAL void heap_empty_bins(struct heap *heap);
// A small or medium block from the bins, the shelves or a page. Inside.
INTERNAL void *heap_take_from_bins(struct heap *heap, unsigned size_class);
INTERNAL void *heap_take_from_shelves(struct heap *heap, unsigned size_class, bool *is_zero);
// A block of a bitmap page. Inside.
INTERNAL void *heap_take_from_page(struct heap *heap, unsigned size_class, bool *is_zero);
// Puts a page that has free blocks into the queue of its class, unless it is there. Inside.
INTERNAL void heap_queue(struct heap *heap, struct page *page);
// From now on it is in the state in which heaps are to be: list pages lead frees as that wants it,
// and the bins will when next something is taken from them. Inside.
INTERNAL void heap_follow_sampling(struct heap *heap);

// A page of this heap was posted to it: frees by others have come in. Inside.
INTERNAL void heap_page_posted(struct heap *heap, struct page *page);
// No block of the page seems to be out: gives it back, or keeps it for the class. Inside.
INTERNAL void heap_page_emptied(struct heap *heap, struct page *page);

// Gives back every page that nobody needs. `bins`: first empties the bins, which only the owner may
// say of its heap. `purges`: also returns the memory of free blocks in other pages to the kernel
// where that can be done, and says how many bytes went. Inside.
INTERNAL size_t heap_collect(struct heap *heap, bool bins, bool purges);
// Brings home what waits in the bins, before the heap's pages are to be another's. Pages that
// nobody needs are given back, but for those that are dear to make (hardened: each has a guard).
// Owner, inside.
INTERNAL void heap_settle(struct heap *heap);
// Gives every page to another heap. Inside both.
INTERNAL void heap_give_pages(struct heap *from, struct heap *to);
// Frees every block and page but large ones. Inside.
INTERNAL void heap_free_all(struct heap *heap);
// Whether the queue of a class may hold a page. From outside: a hint.
INTERNAL bool heap_may_have(struct heap *heap, unsigned size_class);
// Takes a page of the class out of `from` into `heap`; NULL if it has none. Inside both.
INTERNAL struct page *heap_adopt_from(struct heap *heap, struct heap *from, unsigned size_class);

// Inside.
INTERNAL void heap_assert_valid(struct heap *heap);

#endif
