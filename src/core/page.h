// SPDX-License-Identifier: MIT
//
// Pages and their descriptors.
//
// The block region is cut into slices of 64 KiB; a page is a run of slices that holds equal blocks
// (or one large block). Each slice has a descriptor of fixed size in a flat table outside the
// region, so address -> descriptor is arithmetic, and nothing that a user can overflow into is
// read to find it. The descriptor of a page's first slice describes the page; those of its other
// slices say how far back that is.
//
// There are three kinds of page behind one interface:
//   PAGE_LIST    the fast default, blocks up to 4 KiB. Free blocks are linked through themselves.
//                Its heap returns them to `local_free`, others splice them onto `remote`.
//   PAGE_BITMAP  no pointer in user memory: one atomic bit a block, set while it is free, that any
//                thread may set. Can be closed to allocation and walked while others free.
//   PAGE_LARGE   one block.
//
// Who may touch what: the first cache line of a list or bitmap page is written inside `heap`
// (heap.h) only; others read `bin_offset`, which is all that a free's fast path needs, `heap`, what
// stays the same while a block is out and, for a guess, `used`. The second line is for anyone, by
// the rules at each field.
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include "base/annotate.h"
#include "base/bits.h"
#include "base/list.h"
#include "base/machine.h"
#include "base/sealed.h"
#include "core/tuning.h"
#include "os/thread.h"

struct heap;
struct page_source;

// A free block of a list page.
struct block {
  struct block *next;
};

enum page_kind {
  PAGE_NONE = 0,  // not in use: fresh, inside a free run, or a later slice of a large block
  PAGE_FREE,      // the first or last slice of a free run (runs.c)
  PAGE_INSIDE,    // a slice of a page other than its first
  PAGE_LIST,
  PAGE_BITMAP,
  PAGE_LARGE,
};

// Who is told when another thread frees into a page.
//
//         [heap's new_page]               frees by others [remote_notify, reclaim]
//   NONE ------------------> AWAITED ----------------------------------------------> POSTED
//     ^                        |  ^                                                    |
//     +-----[page_retire]------+  +----- the heap reads its inbox [remote_read_inbox] -+
//
// A page in state NONE is nobody's: no post can reach it, so it can be given back. A page that is
// POSTED hangs in an inbox, or is about to, and must be kept until that has been read.
enum page_notice { NOTICE_NONE, NOTICE_AWAITED, NOTICE_POSTED };

struct page {
  // First line: the heap's.
  union {
    struct block *local_free;  // LIST: free blocks
    uint64_t purged;           // BITMAP of up to 64: free blocks without memory
    struct {
      uint32_t first_word;  // BITMAP of more: no word below this one is known to have a free block
      uint32_t purged_os_pages;  // and its os pages without memory: bit i, the i-th
    };
    _Atomic(size_t) object_bytes;  // LARGE of an object: how much of the block that is
  };
  _Atomic(uint32_t) used;        // LIST: blocks that are not in `local_free`, of those carved
  uint32_t carved;               // blocks handed out so far at least once; the rest is untouched
  uint16_t capacity;             // blocks that fit
  _Atomic(uint16_t) bin_offset;  // LIST: where heaps keep freed blocks of its class (heap.h)
  union {
    uint8_t size_class;   // LIST, BITMAP
    bool is_rest_purged;  // LARGE: what lies behind the block holds no memory
  };
  uint8_t flags;             // PAGE_ flags below
  bool is_direct;            // LIST, BITMAP: of a first-class heap
  uint8_t edges;             // of each slice: where kernel mappings may end (mapping.c)
  _Atomic(bool) is_source;   // each slice of a page of objects: these are being moved away
  _Atomic(bool) is_tracked;  // blocks of it may have records (anyone)
  union {
    uint32_t inverse;  // LIST, BITMAP: of block_bytes; see page_block_index
    uint32_t node;     // LARGE that is bound: the NUMA node that its memory comes from
  };
  size_t block_bytes;           // usable size of each; PAGE_FREE: bytes that may hold memory
  struct list link;             // in the heap's queue of its class; PAGE_FREE: in a row (runs.c)
  _Atomic(struct heap *) heap;  // whose it is; PAGE_LARGE: NULL unless of a first-class heap

  // Second line: anyone's.
  _Alignas(64) _Atomic(uint64_t) remote;  // LIST: chain of blocks | count << 48; see remote.c
                                          // BITMAP of more than 64: blocks in use
  _Atomic(struct page *) inbox_next;      // while POSTED: the next page in the heap's inbox
  struct list chain;                      // in the heap's list of all pages; PAGE_FREE: by age
  union {
    _Atomic(uint64_t) bits;    // BITMAP of up to 64 blocks: the bitmap itself
    _Atomic(uint64_t) *words;  // BITMAP of more: where it is
  };
  const struct page_source *source;  // where the slices go back to
  uint32_t slices;           // length of the run; PAGE_INSIDE: how far back the first slice is
  uint32_t freed_at_ms;      // PAGE_FREE: when
  _Atomic(uint32_t) kind;    // enum page_kind
  _Atomic(uint32_t) notice;  // enum page_notice
};

static_assert(sizeof(struct page) == 128, "two cache lines a slice");
static_assert(offsetof(struct page, remote) == 64, "the second line is the one that others write");

enum {
  PAGE_IS_ZERO = 1,      // the run's memory reads as zero
  PAGE_IS_CLOSED = 2,    // BITMAP: no block is handed out any more
  PAGE_IS_SPLIT = 4,     // the kernel may see parts of the run as mappings of their own
  PAGE_REST_PURGED = 8,  // LIST, BITMAP: what lies behind the carved blocks holds no memory
  PAGE_IS_LEAVING = 16,  // NONE: the memory of these free `slices` is being returned (chunk.c)
  PAGE_IS_FOREIGN = 32,  // NONE: from here on `slices` are nobody's: others' mappings (frontier.c)
  PAGE_IS_BOUND = 64,    // LARGE: to its `node`; NONE: about to be unbound, before it is filed
  PAGE_HAS_GUARD = 128,  // its last os page, or what surrounds its block, faults (hardened)
};

// The blocks' region, read by every free. `start` and `pages` are written once, before there is a
// block.
struct region {
  uintptr_t start;
  struct page *pages;  // the table: one descriptor a slice
} SEALED_PAGES;

INTERNAL_DATA struct region region SEALED;

// Addresses below region.start + 16 * region_units have descriptors. It only grows, under the chunk
// lock.
INTERNAL_DATA _Atomic(size_t) region_units;

// How many units of 16 bytes an address is into the region. Rotating the distance by 4 makes one
// comparison tell both an address outside and one that is no multiple of 16: page_has_units.
static inline uint64_t page_units(const void *address)
{
  return bits_rotate_right((uintptr_t)address - region.start, 4);
}

static inline bool page_has_units(uint64_t units)
{
  return machine_is_below(units, &region_units);
}

static inline struct page *page_of_units(uint64_t units)
{
  return &region.pages[units >> (SLICE_SHIFT - 4)];
}

// The descriptor of the slice that an aligned address lies in; NULL if there is none.
static inline struct page *page_at(const void *address)
{
  uint64_t units = page_units(address);
  return LIKELY(page_has_units(units)) ? page_of_units(units) : NULL;
}

// The same for any address.
static inline struct page *page_around(const void *address)
{
  return page_at((const void *)((uintptr_t)address & ~(uintptr_t)15));
}

static inline enum page_kind page_kind(struct page *page)
{
  return (enum page_kind)atomic_load_explicit(&page->kind, memory_order_acquire);
}

static inline uint16_t page_bin_offset(const struct page *slice)
{
  return atomic_load_explicit(&slice->bin_offset, memory_order_relaxed);
}

static inline void page_set_bin_offset(struct page *page, uint16_t offset)
{
  atomic_store_explicit(&page->bin_offset, offset, memory_order_relaxed);
}

// Whether a block of the page may have a record of its allocation.
static inline bool page_is_tracked(struct page *page)
{
  return atomic_load_explicit(&page->is_tracked, memory_order_relaxed);
}

// One is about to have.
static inline void page_set_tracked(struct page *page)
{
  if (!page_is_tracked(page)) atomic_store_explicit(&page->is_tracked, true, memory_order_relaxed);
}

static inline void page_set_kind(struct page *page, enum page_kind kind)
{
  // pairs with page_kind: who sees the kind sees the rest
  atomic_store_explicit(&page->kind, (uint32_t)kind, memory_order_release);
}

// The page that the slice belongs to.
static inline struct page *page_first(struct page *slice)
{
  return page_kind(slice) == PAGE_INSIDE ? slice - slice->slices : slice;
}

// The page of blocks that an address lies in; NULL if there is none.
static inline struct page *page_of_blocks(const void *address)
{
  struct page *slice = page_around(address);
  struct page *page = slice != NULL ? page_first(slice) : NULL;
  if (page == NULL) return NULL;
  enum page_kind kind = page_kind(page);
  return kind == PAGE_LIST || kind == PAGE_BITMAP || kind == PAGE_LARGE ? page : NULL;
}

static inline size_t page_index(const struct page *page)
{
  return (size_t)(page - region.pages);
}

// The address of the page's first block.
static inline char *page_start(const struct page *page)
{
  return (char *)(region.start + (page_index(page) << SLICE_SHIFT));
}

static inline size_t slices_to_bytes(size_t slices)
{
  return slices << SLICE_SHIFT;
}

// Whether a stretch of nobody's begins with the slice. Exact under the chunk lock; else a guess:
// the flags may just be becoming those of a page.
ANNOTATE_MAY_RACE static inline bool page_is_foreign(struct page *slice)
{
  return page_kind(slice) == PAGE_NONE && (slice->flags & PAGE_IS_FOREIGN) != 0;
}

// Of a large block, or a run of nobody's. (The flags of other pages change inside their heap.)
static inline bool page_is_bound(const struct page *page)
{
  return (page->flags & PAGE_IS_BOUND) != 0;
}

// The length of the page's run.
static inline size_t page_run_bytes(const struct page *page)
{
  return slices_to_bytes(page->slices);
}

static inline struct heap *page_heap(struct page *page)
{
  return atomic_load_explicit(&page->heap, memory_order_acquire);
}

// The index of the block that starts at `address`, or UINT32_MAX if none does. Not for large pages.
// (Dividing by a multiplication: exact where the offset is a multiple, and all others are refused.)
static inline uint32_t page_block_index(const struct page *page, const void *address)
{
  uint32_t offset = (uint32_t)((const char *)address - page_start(page));
  uint32_t index = (uint32_t)((uint64_t)offset * page->inverse >> 32);
  if (index * (uint32_t)page->block_bytes != offset || index >= page->capacity) return UINT32_MAX;
  return index;
}

// How many slices a page of this block size has: so few that at least two blocks fit. (A page that
// empties soon is worth more than one that many blocks share. In the hardened build more have to
// fit, for the sake of chance.)
INTERNAL uint32_t page_slices_for(size_t block_bytes);
// Makes a page out of a run of slices that a source gave: all fields that the kinds share.
// `is_zero` tells whether its memory reads as zero.
INTERNAL void page_init(struct page *page, enum page_kind kind, uint32_t slices, size_t block_bytes,
                        bool is_zero);
// The whole os pages' worth of memory that the page's blocks can have touched.
INTERNAL size_t page_touched_bytes(const struct page *page);
// How much of the run of a list or bitmap page may hold memory. Inside the heap.
INTERNAL size_t page_resident_bytes(const struct page *page);

// Returns to the kernel what a page that was made of dirty memory holds behind its carved blocks.
// Inside the heap. Says how many bytes went.
INTERNAL size_t page_purge_rest(struct page *page);

// Makes sure that no post can reach the page any more. Returns false if one has.
INTERNAL bool page_retire(struct page *page);

// Of list and bitmap pages:
INTERNAL bool page_has_free(struct page *page);
INTERNAL bool page_is_unused(struct page *page);
INTERNAL void page_assert_valid(struct page *page);

// Calls the function for each block that is in use, until it returns false; returns what it
// returned last. Inside the heap. Blocks in bins and on shelves count as used.
typedef bool (*page_visitor)(void *block, size_t usable_size, void *argument);
INTERNAL bool page_visit(struct page *page, page_visitor visitor, void *argument);

#endif
