// SPDX-License-Identifier: MIT
//
// What the hardened build knows of each block, and how it looks after it.
//
// Each slot of a page has a *record* among the metadata (core/policy_hardened.h). It says whether
// the slot's block is in use, by what function it was asked for, with what alignment, and how many
// of its bytes were not asked for, which gives the exact size. A free changes the record by one
// compare-and-swap: whoever comes second, from whichever thread, is told of a double free, whatever
// has become of the block meanwhile, as long as it is not in use again.
//
//   UNUSED --[slot_open]--> LIVE --[slot_close]--> FREED --[slot_open]--> LIVE ...
//                           LIVE --[slot_hold]--> CHANGING --[slot_resize, slot_release]--> LIVE
//
// From level 2 on, the eight bytes behind what was asked for, and the last eight of the block, hold
// a *canary*, made of the page's secret and the address; what is not in use is zero. They are
// checked when the block is freed or resized, and so are the last bytes of the blocks beside it:
// that is where an underflow writes.
#ifndef SECURE_SLOT_H
#define SECURE_SLOT_H

#include <string.h>

#include "base/kind.h"
#include "base/options.h"
#include "core/page.h"
#include "core/policy.h"

#define SLOT_CANARY_BYTES ((size_t)8)

// A record: state, kind, logarithm of the alignment (0: natural), and how many bytes of the block
// were not asked for.
enum slot_record_state { SLOT_UNUSED, SLOT_LIVE, SLOT_FREED, SLOT_CHANGING };
enum {
  SLOT_STATE_MASK = 3,
  SLOT_KIND_SHIFT = 2,
  SLOT_KIND_MASK = 3,
  SLOT_ALIGNMENT_SHIFT = 4,
  SLOT_ALIGNMENT_MASK = 63,
  SLOT_SLACK_SHIFT = 10,
};
static_assert(SIZE_CLASS_MAX_BYTES <= UINT32_MAX >> SLOT_SLACK_SHIFT,
              "all of a block may be slack");
static_assert((SLOT_LIVE & 1) != 0 && (SLOT_CHANGING & 1) != 0 && (SLOT_FREED & 1) == 0,
              "what policy_is_marked_live takes for in use");

// ---------------------------------------------------------------------------------------------
// Ends of blocks.

// None of its bytes is 0, so that the end of a string that is one too long shows.
static inline uint64_t slot_canary(const struct page *page, const void *at)
{
  uint64_t canary = (policy_of(page)->secret ^ (uintptr_t)at) * UINT64_C(0x9e3779b97f4a7c15);
  return (canary ^ canary >> 32) | UINT64_C(0x0101010101010101);
}

// The last word of a block, which neighbours may look at: it is 0 or its canary, never in between.
static inline _Atomic(uint64_t) *slot_last_word(const struct page *page, const void *block)
{
  size_t at = page->block_bytes - SLOT_CANARY_BYTES;
  return (_Atomic(uint64_t) *)((uintptr_t)block + at);
}

// Of the word behind what was asked for, the bits that are not in the last word as well.
static inline uint64_t slot_first_mask(size_t slack)
{
  return bits_low_mask((unsigned)bits_smaller(slack - SLOT_CANARY_BYTES, SLOT_CANARY_BYTES) * 8);
}

// The word behind what was asked for: the canary from its start, and again where the last begins.
static inline uint64_t slot_first_word(size_t slack, uint64_t canary)
{
  uint64_t mask = slot_first_mask(slack);
  unsigned bits = (unsigned)(slack - SLOT_CANARY_BYTES) * 8 % 64;
  return (canary & mask) | (canary << bits & ~mask);
}

static inline void slot_write_end(const struct page *page, char *block, size_t size)
{
  _Atomic(uint64_t) *last = slot_last_word(page, block);
  uint64_t canary = slot_canary(page, last);
  uint64_t first = slot_first_word(page->block_bytes - size, canary);
  atomic_store_explicit(last, canary, memory_order_relaxed);
  // What it has in common with the last word is there already: ThreadSanitizer, which would take
  // that for a race with who looks at that, does without.
  size_t apart = (size_t)((char *)last - (block + size));
  memcpy(block + size, &first,
         HAS_THREAD_SANITIZER ? bits_smaller(apart, sizeof first) : sizeof first);
}

// Whether all of at least one byte are 0.
static inline bool slot_is_zero(const char *bytes, size_t count)
{
  enum { SHORT = 64 };
  if (UNLIKELY(count > SHORT)) return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
  uint64_t sum = 0;
  for (; count > sizeof sum; bytes += sizeof sum, count -= sizeof sum) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    sum |= word;
  }
  for (size_t i = 0; i < count; i++) sum |= (unsigned char)bytes[i];
  return sum == 0;
}

// Whether what follows the bytes that were asked for is as it was left; with few branches, since
// sizes are hard to foresee.
static inline bool slot_is_end_intact(const struct page *page, const char *block, size_t size)
{
  _Atomic(uint64_t) *last = slot_last_word(page, block);
  uint64_t canary = slot_canary(page, last);
  size_t slack = page->block_bytes - size;
  uint64_t first;
  memcpy(&first, block + size, sizeof first);
  uint64_t damage = (first ^ canary) & slot_first_mask(slack);
  damage |= atomic_load_explicit(last, memory_order_relaxed) ^ canary;
  // Between the two there are zeroes, most often less than a word of them.
  size_t rest = slack < 2 * SLOT_CANARY_BYTES ? 0 : slack - 2 * SLOT_CANARY_BYTES;
  uint64_t before_last;
  memcpy(&before_last, block + page->block_bytes - 2 * SLOT_CANARY_BYTES, sizeof before_last);
  unsigned others = (unsigned)(SLOT_CANARY_BYTES - bits_smaller(rest, SLOT_CANARY_BYTES)) * 8;
  damage |= before_last & ~bits_low_mask(others);
  if (UNLIKELY(damage != 0)) return false;
  return LIKELY(rest <= SLOT_CANARY_BYTES) ||
         slot_is_zero(block + size + SLOT_CANARY_BYTES, rest - SLOT_CANARY_BYTES);
}

// Whether the last word of a block, in use or not, is as it was left.
static inline bool slot_is_last_word_intact(const struct page *page, const char *block)
{
  _Atomic(uint64_t) *last = slot_last_word(page, block);
  uint64_t found = atomic_load_explicit(last, memory_order_relaxed);
  return ((found ^ slot_canary(page, last)) & -(uint64_t)(found != 0)) == 0;
}

// Zeroes four pieces that overlap as they must to be `bytes` in all: no branch has to be foreseen.
static inline void slot_wipe_pieces(char *at, size_t bytes, size_t piece)
{
  for (size_t i = 0; i < 4; i++) memset(at + bits_smaller(i * piece, bytes - piece), 0, piece);
}

// Zeroes a block in use. Its last word is never seen half written.
static inline void slot_wipe(const struct page *page, char *block)
{
  size_t bytes = page->block_bytes - SLOT_CANARY_BYTES;
  if (bytes <= 8) {
    memset(block, 0, 8);
  } else if (bytes <= 64) {
    slot_wipe_pieces(block, bytes, 16);
  } else if (bytes <= 256) {
    slot_wipe_pieces(block, bytes, 64);
  } else {
    memset(block, 0, bytes);
  }
  atomic_store_explicit(slot_last_word(page, block), 0, memory_order_relaxed);
}

// ---------------------------------------------------------------------------------------------
// Of any block, slowly, and with a report of what is wrong.

// How many bytes a request is made larger by.
static inline size_t slot_extra_bytes(void)
{
  return options.harden >= 2 ? SLOT_CANARY_BYTES : 0;
}

// Whether free blocks read as zero.
static inline bool slot_is_zeroed(void)
{
  return options.harden >= 2;
}

// The block is about to be the user's, who has asked for `size` bytes, perhaps to read as zero:
// what has been written to it since it was freed is told then, and always from level 3 on.
INTERNAL void slot_open(struct page *page, void *block, size_t size, enum block_kind kind,
                        size_t alignment, bool is_zeroed);
// It no longer is; it is wiped. Returns false if it was not, or not as the claim says: that has
// been told, and the block is left alone.
INTERNAL bool slot_close(struct page *page, void *block, const struct block_claim *claim);
// The user has a new size at the same place.
INTERNAL void slot_resize(struct page *page, void *block, size_t size);
// Whether the block is in use.
INTERNAL bool slot_is_live(struct page *page, const void *block);
// What its user has asked for.
INTERNAL size_t slot_size(struct page *page, const void *block);
// The same of a block in use, looking at whether its end is where that says.
INTERNAL size_t slot_checked_size(struct page *page, const void *block);
INTERNAL enum block_kind slot_kind(struct page *page, const void *block);
// Tells of damage at the ends of a block that was in use, as its record said, and beside it.
INTERNAL NOINLINE void slot_tell_damage(struct page *page, void *block, uint32_t record);
// Tells of a pointer that is no block, or not to be used so.
INTERNAL void slot_misuse(const char *message, const void *pointer);
// Holds a block in use for its being resized: nobody else can free it meanwhile. It must be
// malloc's, without damage at its ends; else false, and that was told. Then slot_resize, or:
INTERNAL bool slot_hold(struct page *page, void *block);
// It stays as it is.
INTERNAL void slot_release(struct page *page, void *block);
// The block, in use or not, that an address lies in, or NULL; *page is its page.
INTERNAL char *slot_block_around(const void *pointer, struct page **page);

// ---------------------------------------------------------------------------------------------
// The same of a block of a bitmap page up to level 2 where all is as it should be. Else false, and
// nothing is done.

static inline bool slot_open_fast(struct page *page, void *block, size_t size, enum block_kind kind,
                                  bool is_zeroed)
{
  _Atomic(uint32_t) *record = policy_record(page, page_block_index(page, block));
  uint32_t before = atomic_load_explicit(record, memory_order_relaxed);
  size_t level = options.harden;
  if (UNLIKELY((before & SLOT_STATE_MASK) == SLOT_LIVE || level > 2)) return false;
  if (is_zeroed && UNLIKELY(!slot_is_zero(block, page->block_bytes))) return false;
  if (level == 2) slot_write_end(page, block, size);
  size_t slack = page->block_bytes - size;
  uint32_t after =
      SLOT_LIVE | (uint32_t)kind << SLOT_KIND_SHIFT | (uint32_t)slack << SLOT_SLACK_SHIFT;
  atomic_store_explicit(record, after, memory_order_release);  // as slot_open
  return true;
}

static inline bool slot_close_fast(struct page *page, uint32_t index, char *block,
                                   const struct block_claim *claim)
{
  _Atomic(uint32_t) *record = policy_record(page, index);
  uint32_t before = atomic_load_explicit(record, memory_order_relaxed);
  size_t level = options.harden;
  uint32_t right = SLOT_LIVE | (uint32_t)claim->kind << SLOT_KIND_SHIFT;
  uint32_t mask = SLOT_STATE_MASK | SLOT_KIND_MASK << SLOT_KIND_SHIFT;
  size_t size = page->block_bytes - (before >> SLOT_SLACK_SHIFT);
  uint32_t aligned = SLOT_ALIGNMENT_MASK << SLOT_ALIGNMENT_SHIFT;
  bool is_plain = claim->kind == KIND_MALLOC || (before & aligned) == 0;
  if (UNLIKELY((before & mask) != right || !is_plain || claim->alignment != 0 || level > 2 ||
               (claim->has_size && claim->size != size))) {
    return false;
  }
  uint32_t after = (before & ~(uint32_t)SLOT_STATE_MASK) | SLOT_FREED;
  // acq_rel: what was done to the block comes before, its wiping after. Nothing of it is looked at
  // before: of two that free it at once, the second would see it wiped, and call that an overflow.
  if (UNLIKELY(!atomic_compare_exchange_strong(record, &before, after))) return false;
  if (level < 2) return true;
  if (UNLIKELY(!slot_is_end_intact(page, block, size) ||
               !slot_is_last_word_intact(page, block - page->block_bytes))) {
    slot_tell_damage(page, block, before);
  }
  slot_wipe(page, block);
  return true;
}

#endif
