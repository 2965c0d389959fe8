// SPDX-License-Identifier: MIT
#include "track/record.h"

#include <string.h>

#include "base/fatal.h"
#include "base/options.h"
#include "base/size_class.h"
#include "core/metadata.h"
#include "track/record_exact.h"
#include "track/tables.h"

enum { GENERATIONS = 1 << GENERATION_BITS };
enum { CLASS_LARGE = SIZE_CLASS_COUNT, CLASS_COUNT, STAYS = 0 };

INTERNAL struct row_table row_table = {.generation = 1};

static struct {
  struct os_lock lock;              // protects the rest
  uint64_t free_rows[CLASS_COUNT];  // linked by `other` of the first record
} row_memory;

static size_t leaf_count(void)
{
  return (size_t)(options.region >> (SLICE_SHIFT + LEAF_SHIFT)) + 1;
}

INTERNAL bool record_start(void)
{
  return track_table_make(&row_table.leaves, leaf_count() * sizeof(_Atomic(void *))) != NULL;
}

// ---------------------------------------------------------------------------------------------
// Rows.

static size_t row_capacity(uint64_t row)
{
  return (size_t)(row >> CAPACITY_SHIFT & bits_low_mask(CAPACITY_BITS));
}

static unsigned row_class(uint64_t row)
{
  return (unsigned)(row >> CLASS_SHIFT & bits_low_mask(CLASS_BITS));
}

static uint32_t row_generation(uint64_t row)
{
  return (uint32_t)(row >> GENERATION_SHIFT);
}

static uint64_t with_generation(uint64_t row, uint32_t generation)
{
  return (row & bits_low_mask(GENERATION_SHIFT)) | (uint64_t)generation << GENERATION_SHIFT;
}

static bool is_remembered(uint64_t row)
{
  return row != 0 && (row_generation(row) == STAYS || row_generation(row) == row_generation_now());
}

// The class of a page's row; CLASS_COUNT: it is no page of blocks.
static unsigned class_of(struct page *page)
{
  switch (page_kind(page)) {
  case PAGE_LIST:
  case PAGE_BITMAP:
    return page->size_class;
  case PAGE_LARGE:
    return CLASS_LARGE;
  default:
    return CLASS_COUNT;
  }
}

// The row that holds what is known of a page's blocks; 0: nothing is.
static uint64_t row_of_page(struct page *page)
{
  _Atomic(uint64_t) *place = row_place(page);
  if (place == NULL) return 0;
  uint64_t row = atomic_load_explicit(place, memory_order_acquire);  // pairs with replace_row
  return is_remembered(row) && row_class(row) == class_of(page) ? row : 0;
}

// A row that has been used before; 0 if there is none. From now on its records are of no block.
static uint64_t take_free_row(unsigned size_class, size_t capacity)
{
  uint64_t row = row_memory.free_rows[size_class];
  if (row == 0 || row_capacity(row) < capacity) return 0;
  struct record *record = row_start(row);
  row_memory.free_rows[size_class] = atomic_load(&record->other);
  for (size_t i = 0; i < row_capacity(row); i++) {
    atomic_store_explicit(&record[i].word, 0, memory_order_relaxed);
  }
  return row;
}

static uint64_t cut_off_row(unsigned size_class, size_t capacity)
{
  const struct record *start = track_table_allocate(capacity * sizeof *start);
  if (start == NULL) return 0;
  size_t place = (size_t)(start - (const struct record *)(const void *)metadata_extent.start);
  if (place > bits_low_mask(PLACE_BITS)) return 0;
  return (uint64_t)place | (uint64_t)capacity << CAPACITY_SHIFT |
         (uint64_t)size_class << CLASS_SHIFT;
}

static void put_free_row(uint64_t row)
{
  struct record *record = row_start(row);
  atomic_store_explicit(&record->word, 0, memory_order_relaxed);
  atomic_store(&record->other, row_memory.free_rows[row_class(row)]);
  row_memory.free_rows[row_class(row)] = row;
}

// Gives the page a row of its class. The lock is held.
static bool replace_row(struct page *page, _Atomic(uint64_t) *place, uint32_t generation)
{
  unsigned size_class = class_of(page);
  uint64_t before = atomic_load_explicit(place, memory_order_relaxed);
  if (before != 0 && row_class(before) == size_class && row_generation(before) == generation &&
      row_capacity(before) >= page->capacity) {
    return true;  // somebody else has just made it
  }
  uint64_t row = take_free_row(size_class, page->capacity);
  if (row == 0) row = cut_off_row(size_class, page->capacity);
  if (row == 0) return false;
  // release: who finds the row sees that its records are of no block
  atomic_store_explicit(place, with_generation(row, generation), memory_order_release);
  if (before != 0) put_free_row(before);
  return true;
}

static NOINLINE bool make_row(struct page *page, uint32_t generation)
{
  _Atomic(void *) *leaves = row_leaves();
  if (leaves == NULL || class_of(page) == CLASS_COUNT) return false;
  if (os_lock_is_mine(&row_memory.lock)) return false;
  _Atomic(void *) *leaf = &leaves[page_index(page) >> LEAF_SHIFT];
  if (track_table_make(leaf, sizeof(struct row_leaf)) == NULL) return false;
  os_lock_acquire(&row_memory.lock);
  bool is_made = replace_row(page, row_place(page), generation);
  os_lock_release(&row_memory.lock);
  return is_made;
}

// All generations have been used: rows of the first ones would be remembered again. By whoever
// begins the first anew; others may be making rows of the last.
static void drop_rows(void)
{
  os_lock_acquire(&row_memory.lock);
  _Atomic(void *) *leaves = row_leaves();
  for (size_t i = 0; leaves != NULL && i < leaf_count(); i++) {
    struct row_leaf *leaf = atomic_load_explicit(&leaves[i], memory_order_acquire);
    for (size_t j = 0; leaf != NULL && j < LEAF_ROWS; j++) {
      uint64_t row = atomic_load_explicit(&leaf->rows[j], memory_order_relaxed);
      if (row == 0 || row_generation(row) == STAYS) continue;
      atomic_store_explicit(&leaf->rows[j], 0, memory_order_relaxed);
      put_free_row(row);
    }
  }
  os_lock_release(&row_memory.lock);
}

INTERNAL void record_forget(void)
{
  uint32_t next = row_generation_now() + 1;
  if (next == GENERATIONS) {
    drop_rows();
    next = 1;
  }
  atomic_store_explicit(&row_table.generation, next, memory_order_release);
}

INTERNAL bool record_lock_is_mine(void)
{
  return os_lock_is_mine(&row_memory.lock);
}

INTERNAL void record_after_fork(void)
{
  if (!os_lock_take_from_strangers(&row_memory.lock)) return;
  memset(row_memory.free_rows, 0, sizeof row_memory.free_rows);
}

// ---------------------------------------------------------------------------------------------
// Records.

static struct record *record_in(uint64_t row, struct page *page, const void *block)
{
  if (row_class(row) == CLASS_LARGE) return row_start(row);
  uint32_t index = page_block_index(page, block);
  return LIKELY(index < row_capacity(row)) ? row_start(row) + index : NULL;
}

INTERNAL struct record *record_find(struct page *page, const void *block)
{
  uint64_t row = row_of_page(page);
  return row != 0 ? record_in(row, page, block) : NULL;
}

// Where a block of a row that begins with a slice has its record.
static struct record *record_in_slices(uint64_t row, size_t offset, size_t *block_bytes)
{
  *block_bytes = 0;
  if (row_class(row) == CLASS_LARGE) return offset == 0 ? row_start(row) : NULL;
  *block_bytes = size_class_bytes(row_class(row));
  bool is_start = offset % *block_bytes == 0 && offset / *block_bytes < row_capacity(row);
  return is_start ? row_start(row) + offset / *block_bytes : NULL;
}

INTERNAL struct record *record_find_past(const void *block, size_t *block_bytes)
{
  struct page *slice = page_at(block);
  if (slice == NULL) return NULL;
  size_t offset = (size_t)((const char *)block - page_start(slice));
  for (size_t i = 0; i < TUNING_PAGE_SLICES && i <= page_index(slice); i++, offset += SLICE_BYTES) {
    _Atomic(uint64_t) *place = row_place(slice - i);
    uint64_t row = place != NULL ? atomic_load_explicit(place, memory_order_acquire) : 0;
    if (is_remembered(row)) return record_in_slices(row, offset, block_bytes);
  }
  return NULL;
}

INTERNAL struct record *record_make(struct page *page, const void *block, bool stays)
{
  uint32_t generation = stays ? STAYS : row_generation_now();
  uint64_t row = row_of_page(page);
  if (UNLIKELY(row == 0 || row_generation(row) != generation ||
               row_capacity(row) < page->capacity)) {
    if (!make_row(page, generation)) return NULL;
    row = row_of_page(page);
    if (row == 0) return NULL;
  }
  return record_in(row, page, block);
}

INTERNAL bool record_is_current(struct page *page, const struct record *record)
{
  uint64_t row = row_of_page(page);
  return row != 0 && record >= row_start(row) && record < row_start(row) + row_capacity(row);
}

static unsigned weight_of(uint64_t word)
{
  return (unsigned)((word & WEIGHT_MASK) >> WEIGHT_SHIFT);
}

static struct record_copy copy_of(struct record *record, uint64_t word)
{
  return (struct record_copy){
      .size = (size_t)(word >> SIZE_SHIFT),
      .state = (enum record_life)(word & STATE_MASK),
      .weight = weight_of(word),
      .site = atomic_load_explicit(&record->site, memory_order_relaxed),
      .thread = atomic_load_explicit(&record->thread, memory_order_relaxed),
      .ms = atomic_load_explicit(&record->ms, memory_order_relaxed),
      .free_site = atomic_load_explicit(&record->free_site, memory_order_relaxed),
      .other = atomic_load_explicit(&record->other, memory_order_relaxed),
  };
}

INTERNAL bool record_close(struct record *record, struct record_copy *copy, uint32_t free_site,
                           uint32_t free_thread)
{
  uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
  if ((word & STATE_MASK) != RECORD_LIVE) return false;
  *copy = copy_of(record, word);
  bool is_sample = copy->weight != 0;
  uint64_t freed = is_sample ? record_next_word(word, RECORD_NONE, 0, 0)
                             : record_next_word(word, RECORD_FREED, 0, copy->size);
  return record_end_life(record, word, freed, free_site, free_thread);
}

INTERNAL void record_clear(struct record *record)
{
  uint64_t before = atomic_load_explicit(&record->word, memory_order_relaxed);
  atomic_store_explicit(&record->word, record_next_word(before, RECORD_NONE, 0, 0),
                        memory_order_release);
}

INTERNAL void record_resize(struct record *record, size_t size)
{
  uint64_t word = atomic_load_explicit(&record->word, memory_order_relaxed);
  if ((word & STATE_MASK) != RECORD_LIVE) return;
  uint64_t resized = record_next_word(word, RECORD_LIVE, weight_of(word), size);
  (void)atomic_compare_exchange_strong(&record->word, &word, resized);
}

INTERNAL struct record_copy record_read(struct record *record)
{
  struct record_copy copy;
  uint64_t after, word = atomic_load_explicit(&record->word, memory_order_acquire);
  for (;;) {
    copy = copy_of(record, word);
    atomic_thread_fence(memory_order_acquire);  // pairs with the fence in record_set
    after = atomic_load_explicit(&record->word, memory_order_acquire);
    if (after == word) return copy;
    word = after;
  }
}

INTERNAL struct record_row record_row(struct page *page)
{
  _Atomic(uint64_t) *place = row_place(page);
  uint64_t word = place != NULL ? atomic_load_explicit(place, memory_order_acquire) : 0;
  if (!is_remembered(word)) return (struct record_row){NULL, 0, 0, 0};
  unsigned size_class = row_class(word);
  return (struct record_row){
      .records = row_start(word),
      .count = row_capacity(word),
      .block_bytes = size_class == CLASS_LARGE ? 0 : size_class_bytes(size_class),
      .word = word,
  };
}

INTERNAL bool record_row_is_current(struct page *page, const struct record_row *row)
{
  return atomic_load_explicit(row_place(page), memory_order_acquire) == row->word &&
         is_remembered(row->word);
}

static void visit_leaf(size_t first, struct row_leaf *leaf,
                       void (*visit)(struct page *page, void *argument), void *argument)
{
  for (size_t i = 0; i < LEAF_ROWS; i++) {
    uint64_t row = atomic_load_explicit(&leaf->rows[i], memory_order_acquire);
    if (is_remembered(row)) visit(&region.pages[first + i], argument);
  }
}

INTERNAL void record_each_page(void (*visit)(struct page *page, void *argument), void *argument)
{
  _Atomic(void *) *leaves = row_leaves();
  for (size_t i = 0; leaves != NULL && i < leaf_count(); i++) {
    struct row_leaf *leaf = atomic_load_explicit(&leaves[i], memory_order_acquire);
    if (leaf != NULL) visit_leaf(i << LEAF_SHIFT, leaf, visit, argument);
  }
}

// ---------------------------------------------------------------------------------------------

static void assert_row_valid(uint64_t row)
{
  size_t end = (size_t)(row & bits_low_mask(PLACE_BITS)) + row_capacity(row);
  ASSERT(row_class(row) < CLASS_COUNT && row_capacity(row) > 0);
  ASSERT(end * sizeof(struct record) <= atomic_load(&metadata_extent.bytes));
  (void)end;
}

static void assert_row_of_page_valid(struct page *page, void *unused)
{
  (void)unused;
  uint64_t row = atomic_load(row_place(page));
  assert_row_valid(row);
  for (size_t i = 0; i < row_capacity(row); i++) {
    struct record_copy copy = record_read(&row_start(row)[i]);
    ASSERT(copy.state <= RECORD_FREED && copy.weight < RECORD_WEIGHTS);
    (void)copy;
  }
}

INTERNAL void record_assert_valid(void)
{
  record_each_page(assert_row_of_page_valid, NULL);
  os_lock_acquire(&row_memory.lock);
  for (unsigned i = 0; i < CLASS_COUNT; i++) {
    for (uint64_t row = row_memory.free_rows[i]; row != 0;) {
      assert_row_valid(row);
      ASSERT(row_class(row) == i);
      row = atomic_load(&row_start(row)->other);
    }
  }
  os_lock_release(&row_memory.lock);
}
