// SPDX-License-Identifier: MIT
//
// All live blocks of the process, numbered: what a leak check asks of each word that it finds. It
// is read from the descriptors of pages, in a frozen copy of the process (os/snapshot.h), where
// other threads may have been stopped in the middle of anything: so no chain is believed to end,
// and no descriptor to be whole.
//
// A block is live unless it is free in its page, waits in some thread's bins or on its shelves, or
// is the twin of a sample (track/tracker.h), which nobody uses. A block that was on its way from
// one of these to another when the copy was made counts as live.
//
// Chains of free blocks lead through the blocks themselves, so who writes into a block that is free
// has made them others. Where all blocks have records, from the first on, these say what is live;
// what has none and is on no chain either is a *stray*: such a write, most likely.
//
// An object of a handle is live as long as an entry leads to it, which the layer above knows: pages
// of objects begin without live blocks, and heap_view_add_object adds them. Blocks outside of the
// region (those that are guarded one by one) are added by heap_view_add_lone.
#ifndef TRACK_HEAP_VIEW_H
#define TRACK_HEAP_VIEW_H

#include "core/page.h"
#include "os/scratch.h"

#define VIEW_NONE UINT32_MAX

struct view_page {
  uintptr_t start;  // of the first block
  size_t block_bytes;
  uint32_t inverse;  // as the page's; 0: there is one block
  uint32_t count;    // of blocks that may be live
  uint32_t first;    // the number of the first
  bool has_objects;
};

struct view_lone {
  uintptr_t start;
  size_t bytes;
};

struct heap_view {
  uintptr_t start;          // the region's
  size_t bytes;             // of it, that have descriptors
  uint32_t *page_of_slice;  // + 1; 0: none
  struct view_page *pages;
  uint32_t page_count;
  uint32_t paged_count;    // blocks in pages; the lone ones have the numbers from here on
  struct view_lone *lone;  // by rising addresses
  uint32_t lone_count;
  uint32_t lone_room;
  uint64_t *live;  // bit a block
  size_t strays;
};

// Looks at all pages. `lone_room`: how many lone blocks may be added. False if there is no memory,
// or if there are more than 2^31 blocks.
INTERNAL bool heap_view_read(struct heap_view *view, struct os_scratch *scratch,
                             uint32_t lone_room);
// Then, the lone ones by rising addresses:
INTERNAL void heap_view_add_object(struct heap_view *view, const void *block);
INTERNAL void heap_view_add_lone(struct heap_view *view, const void *block, size_t bytes);

static inline uint32_t heap_view_count(const struct heap_view *view)
{
  return view->paged_count + view->lone_count;
}

static inline bool heap_view_is_live(const struct heap_view *view, uint32_t number)
{
  return (view->live[number / 64] >> number % 64 & 1) != 0;
}

// How many elements of an array are of an address or below: each begins with its address, and they
// rise.
INTERNAL uint32_t heap_view_count_up_to(const void *array, size_t element_bytes, uint32_t count,
                                        uintptr_t address);
INTERNAL uint32_t heap_view_find_lone(const struct heap_view *view, uintptr_t address);

// The number of the live block that an address is in, or VIEW_NONE.
static inline uint32_t heap_view_find(const struct heap_view *view, uintptr_t address)
{
  size_t at = address - view->start;
  if (at >= view->bytes) {
    return view->lone_count > 0 ? heap_view_find_lone(view, address) : VIEW_NONE;
  }
  uint32_t which = view->page_of_slice[at >> SLICE_SHIFT];
  if (which == 0) return VIEW_NONE;
  const struct view_page *page = &view->pages[which - 1];
  size_t offset = address - page->start;
  uint32_t index = (uint32_t)(offset * page->inverse >> 32);
  if (index * page->block_bytes > offset) index--;  // (rounded up)
  if (index >= page->count || offset - index * page->block_bytes >= page->block_bytes) {
    return VIEW_NONE;
  }
  uint32_t number = page->first + index;
  return heap_view_is_live(view, number) ? number : VIEW_NONE;
}

struct view_block {
  uintptr_t start;
  size_t bytes;
  bool is_object;
};

// Of a live block, by any of its addresses.
INTERNAL struct view_block heap_view_block_at(const struct heap_view *view, uintptr_t address);
// Calls the function for each live block, by rising numbers, which are rising addresses in each of
// the two parts.
typedef void (*heap_view_visitor)(uint32_t number, const struct view_block *block, void *argument);
INTERNAL void heap_view_each(const struct heap_view *view, heap_view_visitor visit, void *argument);

// In builds with internal checks.
INTERNAL void heap_view_assert_valid(const struct heap_view *view);

#endif
