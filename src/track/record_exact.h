// SPDX-License-Identifier: MIT
//
// What exact mode does to a record at each small allocation and free, in line: it finds it, writes
// it, and ends its life. Only the ordinary case, in which nothing has to be made; record.c has all
// of it, and the rows, of which the layout is here.
#ifndef TRACK_RECORD_EXACT_H
#define TRACK_RECORD_EXACT_H

#include "base/kind.h"
#include "base/size_class.h"
#include "core/metadata.h"
#include "track/record.h"

// A record's word: the state, which weight, how often it has changed, and the size.
enum { WEIGHT_SHIFT = 2, CHANGES_SHIFT = 6, SIZE_SHIFT = 16 };
#define STATE_MASK UINT64_C(3)
#define WEIGHT_MASK (UINT64_C(0xf) << WEIGHT_SHIFT)
#define CHANGES_MASK (UINT64_C(0x3ff) << CHANGES_SHIFT)

// A row in one word: its place among the metadata in records, its capacity, its class and its
// generation. 0: none.
enum { PLACE_BITS = 30, CAPACITY_BITS = 13, CLASS_BITS = 7, GENERATION_BITS = 14 };
enum {
  CAPACITY_SHIFT = PLACE_BITS,
  CLASS_SHIFT = CAPACITY_SHIFT + CAPACITY_BITS,
  GENERATION_SHIFT = CLASS_SHIFT + CLASS_BITS,
};
static_assert(GENERATION_SHIFT + GENERATION_BITS == 64, "a row is one word");
static_assert(TUNING_PAGE_BLOCKS < 1 << CAPACITY_BITS, "any page's row");
static_assert(RECORD_WEIGHTS == 1 << (CHANGES_SHIFT - WEIGHT_SHIFT), "a weight has its bits");

// The table: leaves of so many pages' rows.
enum { LEAF_SHIFT = 10, LEAF_ROWS = 1 << LEAF_SHIFT };

struct row_leaf {
  _Atomic(uint64_t) rows[LEAF_ROWS];
};

struct row_table {
  _Atomic(void *) leaves;        // one for each LEAF_ROWS slices of the region
  _Atomic(uint32_t) generation;  // 1 at least
};

INTERNAL_DATA struct row_table row_table;

// The leaves, of which some are NULL; NULL before the start.
static inline _Atomic(void *) *row_leaves(void)
{
  return atomic_load_explicit(&row_table.leaves, memory_order_acquire);  // see track_table_make
}

// acquire: pairs with record_forget, so that who makes a record that the next generation remembers
// sees what ended the one before
static inline uint32_t row_generation_now(void)
{
  return atomic_load_explicit(&row_table.generation, memory_order_acquire);
}

static inline struct record *row_start(uint64_t row)
{
  size_t place = (size_t)(row & bits_low_mask(PLACE_BITS));
  return (struct record *)(void *)metadata_extent.start + place;
}

// Where the row of a page is kept; NULL if there is no leaf.
static inline _Atomic(uint64_t) *row_place(const struct page *page)
{
  size_t index = page_index(page);
  _Atomic(void *) *leaves = row_leaves();
  if (UNLIKELY(leaves == NULL)) return NULL;
  // acquire: pairs with track_table_make
  struct row_leaf *leaf = atomic_load_explicit(&leaves[index >> LEAF_SHIFT], memory_order_acquire);
  return LIKELY(leaf != NULL) ? &leaf->rows[index % LEAF_ROWS] : NULL;
}

// The first record of a list page's row of the generation, where anything was ever remembered; NULL
// if it has none. (Pages of a class have the same capacity.) Such a page has one slice: its blocks
// are told by how many units they are into the region.
static inline struct record *record_row_exact(const struct page *page, uint64_t units)
{
  size_t slice = (size_t)(units >> (SLICE_SHIFT - 4));
  // acquire: pairs with track_table_make
  struct row_leaf *leaf =
      atomic_load_explicit(&row_leaves()[slice >> LEAF_SHIFT], memory_order_acquire);
  if (UNLIKELY(leaf == NULL)) return NULL;
  // acquire: pairs with replace_row
  uint64_t row = atomic_load_explicit(&leaf->rows[slice % LEAF_ROWS], memory_order_acquire);
  uint64_t wanted = page->size_class | (uint64_t)row_generation_now() << CLASS_BITS;
  return LIKELY(row >> CLASS_SHIFT == wanted) ? row_start(row) : NULL;
}

// Which block of such a page it is that is known to start so many units into the region.
static inline uint32_t record_index_exact(const struct page *page, uint64_t units)
{
  uint32_t offset = (uint32_t)(units << 4) % SLICE_BYTES;
  return (uint32_t)((uint64_t)offset * page->inverse >> 32);
}

// Whether one starts there at all.
static inline bool record_is_start(const struct page *page, uint64_t units, uint32_t index)
{
  uint32_t offset = (uint32_t)(units << 4) % SLICE_BYTES;
  return index * (uint32_t)page->block_bytes == offset && index < page->capacity;
}

static inline uint64_t record_next_word(uint64_t before, enum record_life state, uint64_t weight,
                                        uint64_t size)
{
  uint64_t changes = (before + (UINT64_C(1) << CHANGES_SHIFT)) & CHANGES_MASK;
  return (uint64_t)state | weight << WEIGHT_SHIFT | changes | size << SIZE_SHIFT;
}

// The block is handed out, as the copy says. By who allocates it.
static inline void record_set(struct record *record, const struct record_copy *copy)
{
  uint64_t before = atomic_load_explicit(&record->word, memory_order_relaxed);
  // A reader that sees one of the values below sees a changed word, too: record_read.
  uint64_t none = record_next_word(before, RECORD_NONE, 0, 0);
  atomic_store_explicit(&record->word, none, memory_order_relaxed);
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&record->site, copy->site, memory_order_relaxed);
  atomic_store_explicit(&record->thread, copy->thread, memory_order_relaxed);
  atomic_store_explicit(&record->ms, copy->ms, memory_order_relaxed);
  atomic_store_explicit(&record->free_site, 0, memory_order_relaxed);
  atomic_store_explicit(&record->other, copy->other, memory_order_relaxed);
  uint64_t word = record_next_word(before, copy->state, copy->weight, copy->size);
  atomic_store_explicit(&record->word, word, memory_order_release);
}

// From a word of a block in use to one that is not; false if another thread was first.
static inline bool record_end_life(struct record *record, uint64_t word, uint64_t freed,
                                   uint32_t free_site, uint32_t free_thread)
{
  if (!atomic_compare_exchange_strong_explicit(&record->word, &word, freed, memory_order_acq_rel,
                                               memory_order_relaxed)) {
    return false;
  }
  atomic_store_explicit(&record->free_site, free_site, memory_order_relaxed);
  atomic_store_explicit(&record->other, free_thread, memory_order_relaxed);
  return true;
}

// record_close of one that was remembered exactly, if what the free says of the block is true; else
// nothing is done.
static inline bool record_close_exact(struct record *record, const struct block_claim *claim,
                                      uint32_t free_site, uint32_t free_thread)
{
  uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
  if (UNLIKELY((word & (STATE_MASK | WEIGHT_MASK)) != RECORD_LIVE)) return false;
  uint64_t kind = atomic_load_explicit(&record->other, memory_order_relaxed);
  size_t size = (size_t)(word >> SIZE_SHIFT);
  if (claim_refusal(claim, (enum block_kind)kind, size, claim->alignment) != NULL) return false;
  uint64_t freed = record_next_word(word, RECORD_FREED, 0, size);
  return record_end_life(record, word, freed, free_site, free_thread);
}

#endif
