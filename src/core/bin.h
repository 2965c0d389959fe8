// SPDX-License-Identifier: MIT
//
// What a heap keeps ready of a class: a bin of small blocks, linked through themselves, or a shelf
// of medium ones. Both hand out last what was freed first, and give that back first when they are
// full.
//
// Blocks that lie here keep their pages, so the limit of each adapts to how it is used: it doubles
// whenever the bin was found empty, and halves whenever it was found without room. One that only
// ever gains soon holds next to nothing.
#ifndef CORE_BIN_H
#define CORE_BIN_H

#include "base/counter.h"
#include "base/size_class.h"
#include "core/page.h"
#include "core/block_link.h"

struct bin {
  struct block *first;
  struct counter room;  // how many more frees fit; the blocks that filled it last do not count
  uint32_t limit;       // what `room` starts from
};

// Bins come in arrays: the first belongs to no class, then each small class has one, and then each
// has a second one (sampling.h). This is how far into such an array, in bytes, the bins of a class
// are.
enum { BIN_COUNT = 1 + 2 * SIZE_CLASS_SMALL_COUNT };

static inline uint16_t bin_offset(unsigned size_class)
{
  return (uint16_t)((1 + size_class) * sizeof(struct bin));
}

static inline uint16_t bin_freed_offset(unsigned size_class)
{
  return (uint16_t)((1 + SIZE_CLASS_SMALL_COUNT + size_class) * sizeof(struct bin));
}

// The same for a request, which is indexed in units of 16 bytes, rounded up.
INTERNAL_DATA const uint16_t bin_offset_of_units[SIZE_CLASS_SMALL_BYTES / 16 + 1];

static inline struct bin *bin_at(struct bin *bins, size_t offset)
{
  return (struct bin *)(void *)((char *)bins + offset);
}

// Takes the block that was put in last; NULL if there is none.
static inline struct block *bin_take(struct bin *bin)
{
  struct block *block = bin->first;
  if (UNLIKELY(block == NULL)) return NULL;
  struct block *next = block_next(block);
  counter_increment(&bin->room);
  bin->first = next;
  return block;
}

// Returns false if there is no room; then bin_refused.
static inline bool bin_put(struct bin *bin, struct block *block)
{
  if (UNLIKELY(counter_decrement(&bin->room))) return false;
  block_set_next(block, bin->first);
  atomic_signal_fence(memory_order_release);  // a fork may copy the bin between the two stores
  bin->first = block;
  return true;
}

// Undoes what a bin_put without room has counted.
static inline void bin_refused(struct bin *bin)
{
  counter_set(&bin->room, 0);
}

// Makes room for one more block, whatever the limit.
static inline void bin_enlarge(struct bin *bin)
{
  counter_set(&bin->room, 1);
}

// How many blocks are in a bin that they are only taken from since bin_ration.
static inline uint32_t bin_length(const struct bin *bin)
{
  int32_t room = atomic_load_explicit(&bin->room.value, memory_order_relaxed);
  return room < 0 || (uint32_t)room > bin->limit ? 0 : bin->limit - (uint32_t)room;
}

// The bin was empty: puts so many blocks in, all that may be taken for now.
INTERNAL void bin_ration(struct bin *bin, struct block *first, uint32_t count);
// Another limit, as that of a bin that was found empty; the room stays.
INTERNAL void bin_widen(struct bin *bin, size_t block_bytes);
// The bin was empty: puts a chain in.
INTERNAL void bin_fill(struct bin *bin, struct block *first, size_t block_bytes);
// The bin is full: makes room, and returns the chain of blocks that are to go back to their pages.
INTERNAL struct block *bin_relieve(struct bin *bin);
// Takes all.
INTERNAL struct block *bin_empty(struct bin *bin);

// Unlike blocks in a bin these are not written to, and a second free of one by the same thread is
// told.
struct shelf {
  void *blocks[TUNING_SHELF_BLOCKS];  // the one put in last at the end
  uint32_t count;
  uint32_t limit;
};

// Takes the block that was put in last; NULL if there is none.
static inline void *shelf_take(struct shelf *shelf)
{
  return LIKELY(shelf->count > 0) ? shelf->blocks[--shelf->count] : NULL;
}

// The shelf was empty: next time it may hold more.
INTERNAL void shelf_missed(struct shelf *shelf, size_t block_bytes);
INTERNAL bool shelf_holds(const struct shelf *shelf, const void *block);
// Puts a block in. `returned` gets the blocks, TUNING_SHELF_BLOCKS at most, that have to go back to
// their pages; says how many.
INTERNAL uint32_t shelf_put(struct shelf *shelf, void *block, void **returned);
// Takes all but the `kept` that were put in last, in the same manner.
INTERNAL uint32_t shelf_empty(struct shelf *shelf, uint32_t kept, void **returned);

#endif
