// SPDX-License-Identifier: MIT
#include "core/page_bitmap.h"

#include "base/fatal.h"
#include "core/policy.h"
#include "os/memory.h"

#define BITS_A_WORD 64U

static bool is_one_word(const struct page *page)
{
  return TUNING_HAS_LISTS && page->capacity <= BITS_A_WORD;
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
  uint64_t bits = bits_low_mask(page->capacity - word * BITS_A_WORD);
  return word == 0 ? bits & ~bits_low_mask(policy_reserved_slots(page)) : bits;
}

INTERNAL bool page_bitmap_init(struct page *page)
{
  page->purged = 0;
  if (!is_one_word(page)) {
    page->words = policy_make_words(page, word_count(page));
    if (page->words == NULL) return false;
  }
  for (uint32_t i = 0; i < word_count(page); i++) {
    atomic_store_explicit(&words_of(page)[i], valid_bits(page, i), memory_order_relaxed);
  }
  return true;
}

INTERNAL void page_bitmap_destroy(struct page *page)
{
  if (!is_one_word(page)) policy_free_words(page, word_count(page));
}

// ---------------------------------------------------------------------------------------------
// What holds no memory. In a page of up to 64 blocks that is noted of blocks; in one of more, which
// are smaller than an os page, of os pages.

static_assert(TUNING_PAGE_SLICES * SLICE_BYTES / 4096 <= POLICY_PURGED_BITS,
              "a bit an os page, of whatever size");

static bool is_os_page_purged(const struct page *page, size_t index)
{
  return (policy_purged(page, (uint32_t)(index / 64)) >> index % 64 & 1) != 0;
}

static void set_os_page_purged(struct page *page, size_t index, bool is_purged)
{
  uint64_t bits = policy_purged(page, (uint32_t)(index / 64));
  uint64_t bit = UINT64_C(1) << index % 64;
  policy_set_purged(page, (uint32_t)(index / 64), is_purged ? bits | bit : bits & ~bit);
}

// Blocks are about to be used: what they touch holds memory from now on.
static void forget_purged(struct page *page, uint32_t first, uint32_t last)
{
  if (is_one_word(page)) {
    page->purged &= ~(bits_low_mask(last + 1) & ~bits_low_mask(first));
    return;
  }
  size_t from = first * page->block_bytes / os_page_bytes();
  size_t to = ((last + 1) * page->block_bytes - 1) / os_page_bytes();
  for (size_t i = from; i <= to; i++) {
    if (is_os_page_purged(page, i)) set_os_page_purged(page, i, false);
  }
}

// ---------------------------------------------------------------------------------------------

// The first word from one on, and once around, with a free block; their count if there is none.
static uint32_t find_word(struct page *page, uint32_t from)
{
  uint32_t count = word_count(page);
  for (uint32_t n = 0; n < count; n++) {
    uint32_t i = from + n < count ? from + n : from + n - count;
    if (atomic_load_explicit(&words_of(page)[i], memory_order_relaxed) != 0) return i;
  }
  return count;
}

// Takes these free blocks of a word. Only who is inside the heap clears bits, so they stay ours.
// Acquire: what threads that freed them did to them comes before what their next users do
// (page_bitmap_free).
static void take_bits(struct page *page, uint32_t i, uint64_t bits)
{
  if (!is_one_word(page)) {
    page->first_word = i;
    atomic_fetch_add_explicit(&page->remote, bits_count(bits), memory_order_relaxed);
  }
  atomic_fetch_and_explicit(&words_of(page)[i], ~bits, memory_order_acquire);
  forget_purged(page, i * BITS_A_WORD + bits_lowest(bits), i * BITS_A_WORD + bits_highest(bits));
}

INTERNAL void *page_bitmap_take(struct page *page, bool *is_zero)
{
  if ((page->flags & PAGE_IS_CLOSED) != 0) return NULL;
  // In a page of many words it is looked for from where the last one was found.
  uint32_t i = find_word(page, is_one_word(page) ? 0 : page->first_word);
  if (i == word_count(page)) return NULL;
  uint64_t word = atomic_load_explicit(&words_of(page)[i], memory_order_relaxed);
  uint32_t index = i * BITS_A_WORD + bits_lowest(word);
  take_bits(page, i, word & -word);
  bool is_new = index >= page->carved;
  if (is_new) page->carved = index + 1;
  if (is_zero != NULL) *is_zero = is_new && (page->flags & PAGE_IS_ZERO) != 0;
  return page_start(page) + index * page->block_bytes;
}

INTERNAL uint64_t page_bitmap_take_word(struct page *page, uint32_t *word)
{
  uint32_t i = find_word(page, *word % word_count(page));
  if ((page->flags & PAGE_IS_CLOSED) != 0 || i == word_count(page)) return 0;
  uint64_t bits = atomic_load_explicit(&words_of(page)[i], memory_order_relaxed);
  policy_verify_free(page, i, bits, valid_bits(page, i));
  take_bits(page, i, bits);
  *word = i;
  return bits;
}

INTERNAL enum page_bitmap_freed page_bitmap_free(struct page *page, uint32_t index)
{
  return page_bitmap_free_bits(page, index / BITS_A_WORD, UINT64_C(1) << index % BITS_A_WORD);
}

INTERNAL enum page_bitmap_freed page_bitmap_free_bits(struct page *page, uint32_t word,
                                                      uint64_t bits)
{
  // Once the bit is set the page may be gone, and be another: what it says of itself is read
  // before.
  bool has_one_word = is_one_word(page);
  uint64_t all = valid_bits(page, 0);
  // Release: pairs with page_bitmap_take. seq_cst for the sake of the notice: see remote_notify.
  uint64_t before = atomic_fetch_or(&words_of(page)[word], bits);
  if ((before & bits) != 0) return FREED_TWICE;
  if (has_one_word) return (before | bits) == all ? FREED_LAST_BLOCK : FREED_BLOCK;
  // acq_rel: the thread that counts to 0 may give the page away, after all others' frees.
  uint64_t count = bits_count(bits);
  uint64_t used = atomic_fetch_sub_explicit(&page->remote, count, memory_order_acq_rel);
  if (UNLIKELY(used < count)) fatal("corrupted metadata", page);
  return used == count ? FREED_LAST_BLOCK : FREED_BLOCK;
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
  if (index >= page->capacity || index < policy_reserved_slots(page)) return false;
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

// Whether every block that touches the bytes between two offsets is free. What lies behind the last
// one is nobody's.
static bool is_free_between(struct page *page, size_t from, size_t to)
{
  uint32_t end = (uint32_t)((to - 1) / page->block_bytes) + 1;
  if (end > page->capacity) end = page->capacity;
  for (uint32_t i = (uint32_t)(from / page->block_bytes); i < end; i++) {
    if (page_bitmap_is_live(page, i)) return false;
    policy_verify_free(page, i / BITS_A_WORD, UINT64_C(1) << i % BITS_A_WORD, UINT64_MAX);
  }
  return true;
}

static size_t purge_os_pages(struct page *page)
{
  size_t bytes = 0;
  size_t unit = os_page_bytes();
  for (uint32_t i = 0; (i + 1) * unit <= page_touched_bytes(page); i++) {
    if (is_os_page_purged(page, i) || !is_free_between(page, i * unit, (i + 1) * unit)) continue;
    bytes += purge_between(page, i * unit, (i + 1) * unit);
    set_os_page_purged(page, i, true);
  }
  return bytes;
}

INTERNAL size_t page_bitmap_purge(struct page *page)
{
  if (policy_is_void(page)) return 0;
  return is_one_word(page) ? purge_blocks(page) : purge_os_pages(page);
}

INTERNAL size_t page_bitmap_purged_bytes(const struct page *page)
{
  size_t bytes = 0;
  if (!is_one_word(page)) {
    for (uint32_t n = 0; n < POLICY_PURGED_WORDS; n++) {
      bytes += bits_count(policy_purged(page, n)) * os_page_bytes();
    }
    return bytes;
  }
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
    for (uint32_t i = 0; i < POLICY_PURGED_BITS; i++) {
      bool is_purged = is_os_page_purged(page, i);
      ASSERT(!is_purged || is_free_between(page, i * os_page_bytes(), (i + 1) * os_page_bytes()));
      (void)is_purged;
    }
  }
  (void)counted, (void)used;
}
