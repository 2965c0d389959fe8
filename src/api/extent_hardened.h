// SPDX-License-Identifier: MIT
//
// The user may touch what was asked for and no more; what becomes of the rest is told (slot.h).
#ifndef API_EXTENT_HARDENED_H
#define API_EXTENT_HARDENED_H

#include "base/format.h"
#include "base/wipe.h"
#include "core/policy.h"
#include "secure/guarded.h"
#include "secure/nothing.h"
#include "secure/slot.h"

#define EXTENT_IS_PLAIN 0

static inline size_t extent_extra_bytes(void)
{
  return slot_extra_bytes();
}

static inline bool extent_is_zeroed(void)
{
  return slot_is_zeroed();
}

static inline void extent_open(struct page *page, void *block, size_t size, bool is_zeroed,
                               enum block_kind kind, size_t alignment)
{
  slot_open(page, block, size, kind, alignment, is_zeroed);
}

static inline bool extent_is_live(struct page *page, const void *block)
{
  return slot_is_live(page, block);
}

static inline bool extent_close(struct page *page, void *block, const struct block_claim *claim)
{
  if (UNLIKELY(!slot_close(page, block, claim))) return false;
  // Not before: now it is known to be the caller's to free.
  if (UNLIKELY(claim->wipes)) wipe_memory(block, slot_size(page, block));
  return true;
}

static inline struct heap *extent_heap_of_nothing(void)
{
  return nothing_heap();
}

static inline bool extent_may_resize(const struct page *page)
{
  return !policy_is_void(page);
}

static inline void extent_resize(struct page *page, void *block, size_t old_size, size_t size)
{
  (void)old_size;
  slot_resize(page, block, size);
}

// What was behind the end of a block that has grown is the user's now.
static inline void extent_clear_end(char *end, size_t bytes)
{
  if (options.harden < 2) return;
  memset(end, 0, SLOT_CANARY_BYTES);
  memset(end + bytes - SLOT_CANARY_BYTES, 0, SLOT_CANARY_BYTES);
}

static inline size_t extent_usable(struct page *page, const void *block)
{
  return slot_checked_size(page, block);
}

static inline size_t extent_usable_of_others(struct page *page, const void *block)
{
  return slot_size(page, block);
}

static inline bool extent_hold(struct page *page, void *block)
{
  return slot_hold(page, block);
}

static inline void extent_release(struct page *page, void *block)
{
  slot_release(page, block);
}

static inline void extent_misuse(const char *message, const void *pointer)
{
  slot_misuse(message, pointer);
}

// Blocks that are guarded one by one lie in no page.
static inline void *extent_allocate_guarded(size_t size, size_t alignment, enum block_kind kind)
{
  uint32_t first = 0;
  struct policy_heap *own = heap_current->policy;
  uint32_t *countdown = own != POLICY_NOTHING ? &own->countdown : &first;
  return guarded_wants_next(countdown) ? guarded_allocate(size, alignment, kind) : NULL;
}

static inline bool extent_is_guarded(const void *block)
{
  return guarded_owns(block);
}

static inline void extent_free_guarded(void *block, const struct block_claim *claim)
{
  guarded_free(block, claim);
}

static inline size_t extent_guarded_size(const void *block)
{
  return guarded_size(block);
}

// Whether it may be resized, and its size; else that has been told.
static inline bool extent_check_guarded(const void *block, size_t *size)
{
  return guarded_check(block, size);
}

static inline void extent_describe_build(struct format *line)
{
  format_text(line, ", hardened, level ");
  format_number(line, options.harden, 0);
}

// What follows from the level for other options.
static inline void extent_choose_options(void)
{
  if (options.harden >= 1) options.handle_poison = 1;
}

static inline void extent_start(void)
{
  (void)guarded_start();
}

static inline void extent_register_forks(void)
{
  (void)os_on_fork(NULL, NULL, guarded_after_fork);
}

#endif
