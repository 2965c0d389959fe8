// SPDX-License-Identifier: MIT
#include "core/page_bitmap.h"

#include "base/fatal.h"
#include "core/metadata.h"
#include "os/memory.h"

#define BITS_A_WORD 64U

static bool is_one_word(const struct page *page)
{
  return page->capacity <= BITS_A_WORD;
}

static uint32_t word_count(const struct page *page)
{
  return ((uint32_t)page->capacity + BITS_A_WORD - 1) / BITS_A_WORD;
}

static _Atomic(uint64_t) *words_of(struct page *page)
{
  return is_one_word(page) ? &page->bits : page->words;
}

// The word's bits that stand for blocks.
static uint64_t valid_bits(const struct page *page, uint32_t word)
{
  return bits_low_mask(page->capacity - word * BITS_A_WORD);
}

INTERNAL bool page_bitmap_init(struct page *page)
{
  page->purged = 0;
  if (!is_one_word(page)) {
    page->words = metadata_allocate(word_count(page) * sizeof *page->words);
    if (page->words == NULL) return false;
  }
  for (uint32_t i = 0; i < word_count(page); i++) {
    atomic_store_explicit(&words_of(page)[i], valid_bits(page, i), memory_order_relaxed);
  }
  return true;
}

INTERNAL void page_bitmap_destroy(struct page *page)
{
  if (is_one_word(page)) return;
  metadata_free(page->words, word_count(page) * sizeof *page->words);
}

// ---------------------------------------------------------------------------------------------
// What holds no memory. In a page of up to 64 blocks that is noted of blocks; in one of more, which
// are smaller than an os page, of os pages.

static_assert(PAGE_MOST_SLICES * SLICE_BYTES / 4096 <= 32, "a bit an os page, of whatever size");

// The block is about to be used: what it touches holds memory from now on.
static void forget_purged(struct page *page, uint32_t index)
{
  if (is_one_word(page)) {
    page->purged &= ~(UINT64_C(1) << index);
    return;
  }
  if (page->purged_os_pages == 0) return;
  size_t start = index * page->block_bytes;
  size_t last = start + page->block_bytes - 1;
  for (size_t i = start / os_page_bytes(); i <= last / os_page_bytes(); i++) {
    page->purged_os_pages &= ~(UINT32_C(1) << i);
  }
}

// ---------------------------------------------------------------------------------------------

// The first word with a free block. In a page of many words it is looked for from where the last
// one was found, and once more from the start.
static uint32_t find_word(struct page *page)
{
  uint32_t count = word_count(page);
  uint32_t from = is_one_word(page) ? 0 : page->first_word;
  for (uint32_t n = 0; n < count; n++) {
    uint32_t i = from + n < count ? from + n : from + n - count;
    if (atomic_load_explicit(&words_of(page)[i], memory_order_relaxed) != 0) return i;
  }
  return count;
}

INTERNAL void *page_bitmap_take(struct page *page, bool *is_zero)
{
  if ((page->flags & PAGE_IS_CLOSED) != 0) return NULL;
  uint32_t i = find_word(page);
  if (i == word_count(page)) return NULL;
  if (!is_one_word(page)) page->first_word = i;
  // Only who is inside the heap clears bits, so the lowest stays ours. Acquire: what the thread
  // that freed the block did to it comes before what its next user does (page_bitmap_free).
  uint64_t word = atomic_load_explicit(&words_of(page)[i], memory_order_relaxed);
  uint32_t index = i * BITS_A_WORD + bits_lowest(word);
  if (!is_one_word(page)) atomic_fetch_add_explicit(&page->remote, 1, memory_order_relaxed);
  atomic_fetch_and_explicit(&words_of(page)[i], ~(word & -word), memory_order_acquire);
  forget_purged(page, index);
  bool is_new = index >= page->carved;
  if (is_new) page->carved = index + 1;
  if (is_zero != NULL) *is_zero = is_new && (page->flags & PAGE_IS_ZERO) != 0;
  return page_start(page) + index * page->block_bytes;
}

INTERNAL enum page_bitmap_freed page_bitmap_free(struct page *page, uint32_t index)
{
  uint64_t bit = UINT64_C(1) << index % BITS_A_WORD;
  // Once the bit is set the page may be gone, and be another: what it says of itself is read
  // before.
  bool has_one_word = is_one_word(page);
  uint64_t all = valid_bits(page, 0);
  // Release: pairs with page_bitmap_take. seq_cst for the sake of the notice: see remote_notify.
  uint64_t before = atomic_fetch_or(&words_of(page)[index / BITS_A_WORD], bit);
  if ((before & bit) != 0) return FREED_TWICE;
  if (has_one_word) return (before | bit) == all ? FREED_LAST_BLOCK : FREED_BLOCK;
  // acq_rel: the thread that counts to 0 may give the page away, after all others' frees.
  uint64_t used = atomic_fetch_sub_explicit(&page->remote, 1, memory_order_acq_rel);
  return used == 1 ? FREED_LAST_BLOCK : FREED_BLOCK;
}

INTERNAL bool page_bitmap_has_free(struct page *page)
{
  if ((page->flags & PAGE_IS_CLOSED) != 0) return false;
  for (uint32_t i = 0; i < word_count(page); i++) {
    if (atomic_load(&words_of(page)[i]) != 0) return true;  // seq_cst: see remote_notify
  }
  return false;
}

INTERNAL uint32_t page_bitmap_used(struct page *page)
{
  // acquire: pairs with page_bitmap_free, for who gives an unused page away
  if (!is_one_word(page)) {
    return (uint32_t)atomic_load_explicit(&page->remote, memory_order_acquire);
  }
  uint64_t free = atomic_load_explicit(&page->bits, memory_order_acquire);
  return page->capacity - bits_count(free);
}

INTERNAL bool page_bitmap_is_unused(struct page *page)
{
  return page_bitmap_used(page) == 0;
}

INTERNAL bool page_bitmap_is_live(struct page *page, uint32_t index)
{
  if (index >= page->capacity) return false;
  uint64_t word = atomic_load_explicit(&words_of(page)[index / BITS_A_WORD], memory_order_acquire);
  return (word >> index % BITS_A_WORD & 1) == 0;
}

// Returns the whole os pages between two offsets.
static size_t purge_between(struct page *page, size_t from, size_t to)
{
  from = bits_align_up(from, os_page_bytes());
  to = bits_align_down(to, os_page_bytes());
  if (from >= to) return 0;
  os_memory_purge(page_start(page) + from, to - from);
  return to - from;
}

// Blocks are taken inside the heap only: those that are free now stay so meanwhile. Acquire: what
// threads that freed them did to them comes before.
static size_t purge_blocks(struct page *page)
{
  size_t bytes = 0;
  uint64_t free = atomic_load_explicit(&page->bits, memory_order_acquire);
  free &= bits_low_mask(page->carved);
  for (unsigned i = 0; i < page->carved; i++) {
    unsigned first = i;
    while (i < page->carved && (free >> i & 1) != 0) i++;
    uint64_t blocks = bits_low_mask(i) & ~bits_low_mask(first);
    if ((blocks & ~page->purged) == 0) continue;
    bytes += purge_between(page, first * page->block_bytes, i * page->block_bytes);
  }
  page->purged |= free;
  return bytes;
}

// Whether every block that touches the bytes between two offsets is free.
static bool is_free_between(struct page *page, size_t from, size_t to)
{
  uint32_t last = (uint32_t)((to - 1) / page->block_bytes);
  for (uint32_t i = (uint32_t)(from / page->block_bytes); i <= last; i++) {
    if (i >= page->capacity || page_bitmap_is_live(page, i)) return false;
  }
  return true;
}

static size_t purge_os_pages(struct page *page)
{
  size_t bytes = 0;
  size_t unit = os_page_bytes();
  for (uint32_t i = 0; (i + 1) * unit <= page_touched_bytes(page); i++) {
    bool is_purged = (page->purged_os_pages >> i & 1) != 0;
    if (is_purged || !is_free_between(page, i * unit, (i + 1) * unit)) continue;
    bytes += purge_between(page, i * unit, (i + 1) * unit);
    page->purged_os_pages |= UINT32_C(1) << i;
  }
  return bytes;
}

INTERNAL size_t page_bitmap_purge(struct page *page)
{
  return is_one_word(page) ? purge_blocks(page) : purge_os_pages(page);
}

INTERNAL size_t page_bitmap_purged_bytes(const struct page *page)
{
  if (!is_one_word(page)) return bits_count(page->purged_os_pages) * os_page_bytes();
  size_t bytes = 0;
  for (unsigned i = 0; i < page->carved; i++) {
    unsigned first = i;
    while (i < page->carved && (page->purged >> i & 1) != 0) i++;
    size_t from = bits_align_up(first * page->block_bytes, os_page_bytes());
    size_t to = bits_align_down(i * page->block_bytes, os_page_bytes());
    if (from < to) bytes += to - from;
  }
  return bytes;
}

INTERNAL void page_bitmap_close(struct page *page)
{
  page->flags |= PAGE_IS_CLOSED;
}

INTERNAL void page_bitmap_open(struct page *page)
{
  page->flags &= (uint8_t)~PAGE_IS_CLOSED;
  if (!is_one_word(page)) page->first_word = 0;
}

// Others may be freeing meanwhile: a bit is set before `remote` is counted down.
INTERNAL void page_bitmap_assert_valid(struct page *page)
{
  uint64_t counted = atomic_load_explicit(&page->remote, memory_order_acquire);
  uint64_t used = 0;
  ASSERT(page_kind(page) == PAGE_BITMAP);
  for (uint32_t i = 0; i < word_count(page); i++) {
    uint64_t word = atomic_load_explicit(&words_of(page)[i], memory_order_acquire);
    ASSERT((word & ~valid_bits(page, i)) == 0);
    used += bits_count(valid_bits(page, i) & ~word);
  }
  for (uint32_t i = page->carved; i < page->capacity; i++) ASSERT(!page_bitmap_is_live(page, i));
  if (is_one_word(page)) {
    uint64_t free = atomic_load_explicit(&page->bits, memory_order_acquire);
    ASSERT((page->purged & ~(free & bits_low_mask(page->carved))) == 0);
    (void)free;
  } else {
    ASSERT(used <= counted && counted <= page->capacity);
    ASSERT(page->first_word < word_count(page));
    for (uint32_t i = 0; i < 32; i++) {
      bool is_purged = (page->purged_os_pages >> i & 1) != 0;
      ASSERT(!is_purged || is_free_between(page, i * os_page_bytes(), (i + 1) * os_page_bytes()));
      (void)is_purged;
    }
  }
  (void)counted, (void)used;
}
