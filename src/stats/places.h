// SPDX-License-Identifier: MIT
//
// The whole region, place by place: pages, large blocks and free runs, by rising addresses.
//
// It is walked slice by slice, in pieces of some dozen pages. A piece is collected inside the heaps
// that its pages are of, one heap at a time; between two pieces none is entered and nothing locked.
// So what a page says of itself is of one moment, and two pages may be of different ones. The place
// where the walk stands only grows: no two places overlap, whatever becomes of the pages meanwhile.
#ifndef STATS_PLACES_H
#define STATS_PLACES_H

#include "core/page.h"

enum { PLACES_MOST = 48 };

enum place_kind { PLACE_LIST, PLACE_BITMAP, PLACE_LARGE, PLACE_FREE };
enum place_owner { OF_NOBODY, OF_THREAD, OF_COMMON, OF_HEAP, OF_OBJECTS, OF_STILL };

struct map_place {
  uintptr_t start;
  size_t bytes;
  enum place_kind kind;
  size_t block_bytes;
  uint32_t capacity;
  uint32_t carved;
  uint32_t used;  // blocks that are handed out, or kept ready by threads
  bool is_closed;
  uint32_t lead_bytes;    // large: what lies before the block
  uint64_t free_bits;     // bitmap of up to 64 blocks: bit i is set while the i-th is free
  bool has_free_bits;     // that is known
  size_t resident_bytes;  // how much of it may hold memory, for all that mend knows
  enum place_owner owner;
  uint64_t owner_number;  // thread: the kernel's; heap: its address; objects: their heap's slot
};

struct places {
  struct page *slice;  // the next one to look at
  struct page *end;
  uint32_t count;
  struct map_place all[PLACES_MOST];
};

INTERNAL void places_begin(struct places *places);
// The next piece; false if there is none.
INTERNAL bool places_next(struct places *places);

#endif
