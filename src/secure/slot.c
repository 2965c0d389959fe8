// SPDX-License-Identifier: MIT
//
// compiled with: MEND_HARDENED
#include "secure/slot.h"

#include <string.h>

#include "base/annotate.h"
#include "base/fatal.h"
#include "base/options.h"
#include "core/heap.h"
#include "core/large.h"
#include "core/policy.h"
#include "os/memory.h"
#include "os/probe.h"
#include "secure/misuse.h"

static bool holds_one(struct page *page)
{
  return page_kind(page) == PAGE_LARGE;
}

static _Atomic(uint32_t) *record_of(struct page *page, const void *block)
{
  // A large block's page is none any more once another thread frees the block, too.
  bool is_bitmap = page_kind(page) == PAGE_BITMAP;
  return policy_record(page, is_bitmap ? page_block_index(page, block) : 0);
}

// Of a page of one block, which another thread may be freeing or resizing wrongly meanwhile.
static void verify_one(struct page *page)
{
  if (!holds_one(page)) return;
  uint32_t record = atomic_load_explicit(policy_record(page, 0), memory_order_acquire);
  bool is_at_rest = (record & SLOT_STATE_MASK) == SLOT_LIVE;
  if (is_at_rest && UNLIKELY(!policy_is_sealed(page)) && holds_one(page)) policy_verify(page);
}

static unsigned state_of(uint32_t record)
{
  return record & SLOT_STATE_MASK;
}

static size_t size_of(struct page *page, uint32_t record)
{
  if (holds_one(page)) return policy_of(page)->size;
  return page->block_bytes - (record >> SLOT_SLACK_SHIFT);
}

static unsigned alignment_bits(size_t alignment)
{
  return alignment <= 16 ? 0 : bits_highest(alignment);
}

// 0: natural.
static size_t alignment_of(uint32_t record)
{
  unsigned bits = record >> SLOT_ALIGNMENT_SHIFT & SLOT_ALIGNMENT_MASK;
  return bits == 0 ? 0 : (size_t)1 << bits;
}

static uint32_t record_for(struct page *page, size_t size, enum block_kind kind, size_t alignment)
{
  size_t slack = holds_one(page) ? 0 : page->block_bytes - size;
  return SLOT_LIVE | (uint32_t)kind << SLOT_KIND_SHIFT |
         alignment_bits(alignment) << SLOT_ALIGNMENT_SHIFT | (uint32_t)slack << SLOT_SLACK_SHIFT;
}

// ---------------------------------------------------------------------------------------------
// Telling.

INTERNAL char *slot_block_around(const void *pointer, struct page **page)
{
  struct page *slice = page_around(pointer);
  if (slice == NULL) return NULL;
  *page = page_first(slice);
  if (page_kind(*page) == PAGE_BITMAP) {
    if (heap_page_has_objects(*page)) return NULL;
    size_t index = (size_t)((const char *)pointer - page_start(*page)) / (*page)->block_bytes;
    bool is_slot = index > 0 && index < (*page)->capacity;
    return is_slot ? page_start(*page) + index * (*page)->block_bytes : NULL;
  }
  if (!holds_one(*page)) *page = large_around(slice);
  return *page != NULL && (*page)->words != NULL ? large_block(*page) : NULL;
}

static void tell_claim(const char *message, const void *pointer, const void *damage,
                       const struct block_claim *claim)
{
  struct misuse told = {.what = message, .pointer = pointer, .damage = damage, .claim = claim};
  struct os_probe probe = {0};
  struct page *page;
  const char *block = slot_block_around(pointer, &page);
  // Of two threads that free a block at once, the other may have given its page away just now.
  if (block != NULL && os_probe_is_readable(&probe, (uintptr_t)record_of(page, block))) {
    uint32_t record = atomic_load_explicit(record_of(page, block), memory_order_relaxed);
    told.block = block;
    told.block_bytes = page->block_bytes;
    if (state_of(record) != SLOT_UNUSED) {
      annotate_race_begin();
      told.size = size_of(page, record);
      annotate_race_end();
      told.kind = record >> SLOT_KIND_SHIFT & SLOT_KIND_MASK;
      told.alignment = alignment_of(record);
    }
  }
  report_misuse(&told);
}

static void tell(const char *message, const void *pointer, const void *damage)
{
  tell_claim(message, pointer, damage, NULL);
}

INTERNAL void slot_misuse(const char *message, const void *pointer)
{
  tell(message, pointer, NULL);
}

// ---------------------------------------------------------------------------------------------
// Ends of blocks.

// The first byte behind what was asked for that is not as it was left.
static const char *first_damage(struct page *page, const char *block, size_t size)
{
  uint64_t canary = slot_canary(page, slot_last_word(page, block));
  uint64_t word = slot_first_word(page->block_bytes - size, canary);
  const char *right = (const char *)&word;
  for (size_t i = 0; i < sizeof word; i++) {
    if (block[size + i] != right[i]) return block + size + i;
  }
  const char *last = (const char *)slot_last_word(page, block);
  const char *at = block + size + sizeof word;
  while (at < last && *at == 0) at++;
  return at < last ? at : last;
}

// Whether the end of a block that others use is as it was left. Its user may be writing there this
// very moment, though not while the record says that it is LIVE: the record is looked at before and
// after, and where damage is seen, again a while later.
static bool is_others_end_intact(struct page *page, uint32_t index)
{
  enum { LOOKS = 3 };
  const char *block = page_start(page) + index * page->block_bytes;
  _Atomic(uint32_t) *record = policy_record(page, index);
  for (int i = 0; i < LOOKS; i++) {
    uint32_t before = atomic_load_explicit(record, memory_order_acquire);
    if (state_of(before) != SLOT_LIVE) return true;
    annotate_race_begin();
    bool is_intact = slot_is_end_intact(page, block, size_of(page, before));
    annotate_race_end();
    atomic_thread_fence(memory_order_acquire);
    if (is_intact || atomic_load_explicit(record, memory_order_relaxed) != before) return true;
    os_thread_yield();
  }
  return false;
}

// At level 3 all of the ends of the blocks within so many bytes are looked at; below, the last word
// of the one before.
enum { SWEPT_BYTES = 64 };

static bool is_neighbour_intact(struct page *page, uint32_t index)
{
  if (index >= page->capacity) return true;
  if (!slot_is_last_word_intact(page, page_start(page) + index * page->block_bytes)) return false;
  return options.harden < 3 || is_others_end_intact(page, index);
}

// Tells of damage at the ends of the blocks beside a block; false if there is any. What is damaged
// before it may have been overrun by its own user, or from here.
static bool check_neighbours(struct page *page, char *block)
{
  uint32_t index = page_block_index(page, block);
  uint32_t count = options.harden >= 3 ? 1 + (uint32_t)(SWEPT_BYTES / page->block_bytes) : 1;
  for (uint32_t i = 1; i <= count && i <= index; i++) {
    if (LIKELY(is_neighbour_intact(page, index - i))) continue;
    tell("underflow of a block", block, block - (i - 1) * page->block_bytes - SLOT_CANARY_BYTES);
    return false;
  }
  for (uint32_t i = 1; i <= count && options.harden >= 3; i++) {
    if (LIKELY(is_neighbour_intact(page, index + i))) continue;
    tell("overflow of a block", block, block + i * page->block_bytes);
    return false;
  }
  return true;
}

// Tells of damage at the ends of a block and of those beside it; false if there is any.
static bool check_ends(struct page *page, char *block, uint32_t record)
{
  if (options.harden < 2 || policy_is_void(page)) return true;
  size_t size = size_of(page, record);
  bool is_intact = slot_is_end_intact(page, block, size);
  if (UNLIKELY(!is_intact)) tell("overflow of a block", block, first_damage(page, block, size));
  if (holds_one(page)) return is_intact;
  return check_neighbours(page, block) && is_intact;
}

INTERNAL NOINLINE void slot_tell_damage(struct page *page, void *block, uint32_t record)
{
  (void)check_ends(page, block, record);
}

INTERNAL bool slot_hold(struct page *page, void *block)
{
  _Atomic(uint32_t) *record = record_of(page, block);
  uint32_t before = atomic_load_explicit(record, memory_order_acquire);
  uint32_t held = before | SLOT_CHANGING;
  if (UNLIKELY(options.harden >= 1 && slot_kind(page, block) != KIND_MALLOC)) {
    tell("realloc of a block of another kind", block, NULL);
    return false;
  }
  if (UNLIKELY(state_of(before) != SLOT_LIVE ||
               !atomic_compare_exchange_strong(record, &before, held))) {
    tell("realloc of memory that is not in use", block, NULL);
    return false;
  }
  if (holds_one(page)) policy_verify(page);  // it is ours now
  if (LIKELY(check_ends(page, block, before))) return true;
  slot_release(page, block);
  return false;
}

INTERNAL void slot_release(struct page *page, void *block)
{
  _Atomic(uint32_t) *record = record_of(page, block);
  uint32_t held = atomic_load_explicit(record, memory_order_relaxed);
  uint32_t after = (held & ~(uint32_t)SLOT_STATE_MASK) | SLOT_LIVE;
  atomic_store_explicit(record, after, memory_order_release);  // is_others_end_intact
}

// ---------------------------------------------------------------------------------------------

INTERNAL void slot_open(struct page *page, void *block, size_t size, enum block_kind kind,
                        size_t alignment, bool is_zeroed)
{
  _Atomic(uint32_t) *record = record_of(page, block);
  uint32_t before = atomic_load_explicit(record, memory_order_relaxed);
  if (UNLIKELY(state_of(before) == SLOT_LIVE)) fatal("corrupted metadata", block);
  if (holds_one(page)) {
    policy_verify(page);
    policy_of(page)->size = size;
    policy_seal(page);
    // Nobody looks at large blocks that wait: what was written there since goes unseen.
    if (is_zeroed) os_memory_purge(block, page->block_bytes);
  } else if ((options.harden >= 3 || (options.harden == 2 && is_zeroed)) && !policy_is_void(page) &&
             !slot_is_zero(block, page->block_bytes)) {
    tell("write to freed memory", block, NULL);
    memset(block, 0, page->block_bytes);
  }
  if (options.harden >= 2 && !policy_is_void(page)) slot_write_end(page, block, size);
  // release: pairs with is_others_end_intact
  atomic_store_explicit(record, record_for(page, size, kind, alignment), memory_order_release);
}

static bool is_claim_true(struct page *page, void *block, uint32_t record,
                          const struct block_claim *claim)
{
  if (options.harden < 1) return true;
  enum block_kind kind = (enum block_kind)(record >> SLOT_KIND_SHIFT & SLOT_KIND_MASK);
  const char *message = claim_refusal(claim, kind, size_of(page, record), alignment_of(record));
  if (LIKELY(message == NULL)) return true;
  tell_claim(message, block, NULL, claim);
  return false;
}

INTERNAL bool slot_close(struct page *page, void *block, const struct block_claim *claim)
{
  _Atomic(uint32_t) *record = record_of(page, block);
  uint32_t before = atomic_load_explicit(record, memory_order_acquire);
  if (UNLIKELY(state_of(before) != SLOT_LIVE)) {
    bool was_used = state_of(before) == SLOT_FREED;
    tell(was_used ? "double free" : "free of memory that is not in use", block, NULL);
    return false;
  }
  if (UNLIKELY(!is_claim_true(page, block, before, claim))) return false;
  uint32_t after = (before & ~(uint32_t)SLOT_STATE_MASK) | SLOT_FREED;
  if (UNLIKELY(!atomic_compare_exchange_strong(record, &before, after))) {  // see slot_close_fast
    tell("double free", block, NULL);
    return false;
  }
  atomic_thread_fence(memory_order_release);  // before the wiping: pairs with is_others_end_intact
  if (holds_one(page)) policy_verify(page);   // it is ours now
  (void)check_ends(page, block, before);
  if (options.harden >= 2 && !holds_one(page) && !policy_is_void(page)) slot_wipe(page, block);
  return true;
}

INTERNAL void slot_resize(struct page *page, void *block, size_t size)
{
  _Atomic(uint32_t) *record = record_of(page, block);
  uint32_t before = atomic_load_explicit(record, memory_order_relaxed);
  enum block_kind kind = (enum block_kind)(before >> SLOT_KIND_SHIFT & SLOT_KIND_MASK);
  atomic_store_explicit(record, before | SLOT_CHANGING, memory_order_relaxed);
  atomic_thread_fence(memory_order_release);  // pairs with is_others_end_intact
  if (options.harden >= 2) {
    size_t old = size_of(page, before);
    // The last word stays: a neighbour may be looking at it.
    size_t end = bits_smaller(old + SLOT_CANARY_BYTES, page->block_bytes - SLOT_CANARY_BYTES);
    size_t from = bits_smaller(size, old);
    if (from < end) memset((char *)block + from, 0, end - from);
    slot_write_end(page, block, size);
  }
  if (holds_one(page)) {
    policy_of(page)->size = size;
    policy_seal(page);
  }
  atomic_store_explicit(record, record_for(page, size, kind, 0), memory_order_release);
}

INTERNAL bool slot_is_live(struct page *page, const void *block)
{
  uint32_t record = atomic_load_explicit(record_of(page, block), memory_order_relaxed);
  return state_of(record) == SLOT_LIVE || state_of(record) == SLOT_CHANGING;
}

INTERNAL size_t slot_size(struct page *page, const void *block)
{
  return size_of(page, atomic_load_explicit(record_of(page, block), memory_order_relaxed));
}

INTERNAL size_t slot_checked_size(struct page *page, const void *block)
{
  verify_one(page);
  size_t size = slot_size(page, block);
  if (options.harden < 2 || policy_is_void(page)) return size;
  if (UNLIKELY(size > page->block_bytes - SLOT_CANARY_BYTES)) fatal("corrupted metadata", block);
  if (UNLIKELY(!slot_is_end_intact(page, block, size))) {
    tell("overflow of a block", block, first_damage(page, block, size));
  }
  return size;
}

INTERNAL enum block_kind slot_kind(struct page *page, const void *block)
{
  uint32_t record = atomic_load_explicit(record_of(page, block), memory_order_relaxed);
  return (enum block_kind)(record >> SLOT_KIND_SHIFT & SLOT_KIND_MASK);
}
