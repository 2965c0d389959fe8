// SPDX-License-Identifier: MIT
//
// A heap: one thread's pages, by class, and the lists that its fast path takes blocks from.
//
// Two functions run a billion times, and both are here: heap_take_small pops a block off a list,
// and heap_free pushes one onto its page. Neither locks, and neither tests whether the thread has a
// heap yet: until it has one it uses heap_empty, whose lists are empty, and owns no page.
//
// Everything else happens inside the heap (heap_enter), where one thread is at a time: its owner,
// for whom that costs next to nothing, in every slow path; other threads briefly, to give back what
// an idle owner cannot: see remote.c and registry.c. What a thread inside that is not the owner may
// touch are pages of which no block is out, and everything that the owner's fast paths do not use.
//
// There are two kinds of heap. A thread's heap belongs to the thread whose id is its owner word. A
// shared heap has OWNER_SHARED for that: it has no fast path, everybody goes inside. Such are the
// first-class heaps and the common heap, which takes over the pages of threads that end.
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include "base/size_class.h"
#include "core/page.h"
#include "core/policy.h"
#include "core/remote.h"
#include "core/source.h"

struct heap {
  struct block *free[SIZE_CLASS_SMALL_COUNT];  // ready to hand out (owner; shared: inside)
  _Atomic(uintptr_t) owner;                    // thread id, OWNER_SHARED or OWNER_NOBODY
  bool adopts;                                 // takes pages that ended threads left
  bool keeps_unused;                           // one unused page of a class rather than none
  bool is_direct;                              // frees into its pages are not gathered
  uint32_t slow_calls;                         // since the last look at the clock (owner)
  struct outgoing outgoing;                    // (owner)

  _Atomic(size_t) large_bytes;   // large blocks: allocated less freed by this thread, modulo 2^64
  _Atomic(size_t) large_blocks;  // and how many of them (owner writes)

  struct os_gate gate;                  // protects the rest, and all pages in `pages`
  _Atomic(uint32_t) unused_pages;       // kept though no block of theirs is out
  _Atomic(uint64_t) queued[2];          // bit a class: its queue may hold a page (any thread reads)
  struct list queue[SIZE_CLASS_COUNT];  // pages that have free blocks; the longest queued first
  struct list pages;                    // all of its pages, by `chain`
  struct list large;                    // PAGE_LARGE of a first-class heap, by `chain`
  size_t purged_at_bytes;               // the peak at which free memory was last purged for growth
  struct page_source *source;
  struct page_request request;       // with every request to the source
  _Atomic(struct page *) inbox;      // pages posted by other threads
  _Atomic(uint32_t) unused_posts;    // posts of unused pages since the inbox was read
  struct heap *next;                 // in the registry, for ever
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

// A block of a small class from the heap's list, or NULL: then heap_take. (Owner; shared: inside)
static inline struct block *heap_take_small(struct heap *heap, unsigned size_class)
{
  struct block *block = heap->free[size_class];
  if (LIKELY(block != NULL)) heap->free[size_class] = policy_next(block);
  return block;
}

// Frees a block of a list page that the calling thread owns. Returns whether heap_page_needed is to
// be called.
static inline bool heap_free(struct page *page, void *address)
{
  struct block *block = address;
  policy_set_next(block, page_local_free(page));
  page_set_local_free(page, block);
  return os_counter_decrement(&page->needed);
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
INTERNAL void heap_init(struct heap *heap, uintptr_t owner, struct page_source *source);
// A block of a class, by the owner or any user of a shared heap; NULL if there is no memory.
// *is_zero (may be NULL) tells whether it is known to read as zero.
INTERNAL void *heap_take(struct heap *heap, unsigned size_class, bool *is_zero);

// `needed` of a page of the calling thread's has reached 0.
INTERNAL void heap_page_needed(struct page *page);
// A page of this heap was posted to it: frees by others have come in. Inside.
INTERNAL void heap_page_posted(struct heap *heap, struct page *page);
// No block of the page seems to be out: gives it back, or keeps it for the class. Inside.
INTERNAL void heap_page_emptied(struct heap *heap, struct page *page);

// Gives back every page that nobody needs. `lists`: also takes back the blocks in `free`, which
// only the owner may say of its heap. `purges`: also returns the memory of free blocks in other
// pages to the kernel where that can be done, and says how many bytes went. Inside.
INTERNAL size_t heap_collect(struct heap *heap, bool lists, bool purges);
// Gives every page to another heap. Inside both.
INTERNAL void heap_give_pages(struct heap *from, struct heap *to);
// Frees every block and page but large ones. Inside.
INTERNAL void heap_free_all(struct heap *heap);
// Whether the queue of a class may hold a page. From outside: a hint.
INTERNAL bool heap_may_have(struct heap *heap, unsigned size_class);
// Takes a page of the class out of `from` into `heap`; NULL if it has none. Inside both.
INTERNAL struct page *heap_adopt_from(struct heap *heap, struct heap *from, unsigned size_class);

INTERNAL void heap_assert_valid(struct heap *heap);

#endif
