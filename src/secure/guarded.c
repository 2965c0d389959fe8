// SPDX-License-Identifier: MIT
#include "secure/guarded.h"

#include <errno.h>

#include "base/bits.h"
#include "base/options.h"
#include "base/rng.h"
#include "base/wipe.h"
#include "os/guard.h"
#include "os/memory.h"
#include "os/system.h"
#include "secure/guarded_fault.h"
#include "secure/guarded_pages.h"
#include "secure/misuse.h"

#define SAMPLED_RANGE ((size_t)16 << 30)
#define WHOLE_RANGE ((size_t)64 << 30)
#define MAPPINGS_EACH 4  // that a live block may cause, generously, where a guard is a mapping

// How many slots of a size wait before one is reused.
#ifdef MEND_STRESS
enum { KEEP_SAMPLED = 4, KEEP_WHOLE = 16 };
#else
enum { KEEP_SAMPLED = 768, KEEP_WHOLE = 16384 };
#endif

enum { SAMPLE_LEVEL = 2, WHOLE_LEVEL = 4 };

static struct {
  _Atomic(uint32_t) rate;  // one of so many allocations; 0: none, or not known yet
  _Atomic(bool) is_decided;
  _Atomic(size_t) live_count;
  size_t live_limit;
  struct rng rng;  // guarded_lock
} guarded;

INTERNAL _Atomic(size_t) guarded_live_total;

// ---------------------------------------------------------------------------------------------
// Start, fork.

static void seed_guarded(void)
{
  uint8_t key[32] = {0};
  os_entropy(key, sizeof key);
  rng_seed(&guarded.rng, key);
}

static size_t most_live(void)
{
  size_t limit = options.harden >= WHOLE_LEVEL ? SIZE_MAX : options.guard_slots;
  if (os_guard_is_free_of_mappings()) return limit;
  return bits_smaller(limit, options.map_budget / MAPPINGS_EACH);
}

INTERNAL bool guarded_start(void)
{
  bool is_whole = options.harden >= WHOLE_LEVEL;
  uint32_t rate = is_whole ? 1 : (uint32_t)options.guard_rate;
  if (options.harden < SAMPLE_LEVEL || rate == 0) {
    atomic_store(&guarded.is_decided, true);
    return false;
  }
  int saved_errno = errno;
  guarded.live_limit = most_live();
  seed_guarded();
  size_t range = bits_smaller(is_whole ? WHOLE_RANGE : SAMPLED_RANGE, options.region);
  bool is_started = guarded_slots_start(range, is_whole ? KEEP_WHOLE : KEEP_SAMPLED);
  if (is_started) {
    guarded_fault_watch();
    atomic_store(&guarded.rate, rate);
  }
  atomic_store(&guarded.is_decided, true);
  errno = saved_errno;
  return is_started;
}

INTERNAL void guarded_after_fork(void)
{
  if (atomic_load(&guarded.rate) == 0) return;
  if (os_lock_take_from_strangers(&guarded_lock)) guarded_slots_give_up();
  if (!os_lock_is_mine(&guarded_lock)) seed_guarded();
}

// False below a signal handler that has interrupted the lock's holder.
static bool enter_guarded(void)
{
  if (os_lock_is_mine(&guarded_lock)) return false;
  os_lock_acquire(&guarded_lock);
  return true;
}

static void leave_guarded(bool has_entered)
{
  if (has_entered) os_lock_release(&guarded_lock);
}

// ---------------------------------------------------------------------------------------------
// Which allocations.

// From one allocation that is guarded to the next: 1 to 2 * rate - 1, so rate on average.
static uint32_t interval(uint32_t rate)
{
  return 1 + rng_below(&guarded.rng, 2 * rate - 1);
}

// From any moment to the next, as if this had been going on for ever: the first of a thread is
// guarded as often as all others are. (It is k with 2 * rate - k chances in rate * (2 * rate - 1).)
static uint32_t first_interval(uint32_t rate)
{
  uint32_t one = 1 + rng_below(&guarded.rng, 2 * rate - 1);
  uint32_t other = 1 + rng_below(&guarded.rng, 2 * rate);
  return one < other ? one : other;
}

INTERNAL NOINLINE bool guarded_begin_countdown(uint32_t *countdown)
{
  // acquire: pairs with the end of guarded_start
  uint32_t rate = atomic_load_explicit(&guarded.rate, memory_order_acquire);
  bool is_first = *countdown == 0;
  if (rate <= 1) {
    // While it is not decided the next one asks again.
    bool is_never = rate == 0 && atomic_load_explicit(&guarded.is_decided, memory_order_acquire);
    *countdown = is_never ? UINT32_MAX : rate;
    return rate == 1;
  }
  bool has_entered = enter_guarded();
  bool is_wanted = !is_first;
  *countdown = rate;
  if (has_entered && is_first) {
    *countdown = first_interval(rate);
    is_wanted = *countdown == 1;
    --*countdown;
  }
  if (has_entered && is_wanted) *countdown = interval(rate);
  leave_guarded(has_entered);
  return is_wanted;
}

static bool count_live(void)
{
  if (atomic_fetch_add_explicit(&guarded.live_count, 1, memory_order_relaxed) <
      guarded.live_limit) {
    return true;
  }
  atomic_fetch_sub_explicit(&guarded.live_count, 1, memory_order_relaxed);
  return false;
}

static void count_dead(void)
{
  atomic_fetch_sub_explicit(&guarded.live_count, 1, memory_order_relaxed);
}

INTERNAL size_t guarded_live_count(void)
{
  return atomic_load_explicit(&guarded.live_count, memory_order_relaxed);
}

INTERNAL size_t guarded_live_bytes(void)
{
  return atomic_load_explicit(&guarded_live_total, memory_order_relaxed);
}

// ---------------------------------------------------------------------------------------------
// Allocation.

// At the end of the slot's last accessible os page, or at the slot's start.
static char *place_in(const struct guarded_slot *slot, size_t size, size_t alignment, bool is_left)
{
  uintptr_t start = (uintptr_t)slot->start;
  if (is_left) return (char *)bits_align_up(start, alignment);
  uintptr_t end = start + guarded_slot_bytes(slot) - os_page_bytes();
  return (char *)bits_align_down(end - size, alignment);
}

// Under the lock. The slot is nobody's until it is LIVE.
static struct guarded_slot *take_slot(size_t size, size_t alignment)
{
  size_t real_alignment = bits_larger(alignment, KIND_NATURAL_ALIGNMENT);
  size_t room = size + (real_alignment > os_page_bytes() ? real_alignment : 0);
  struct guarded_slot *slot = guarded_slot_take(room);
  if (slot == NULL) return NULL;
  slot->state = GUARDED_UNUSED;
  slot->block = place_in(slot, size, real_alignment, rng_bits(&guarded.rng, 1) != 0);
  slot->size = size;
  slot->alignment = alignment > KIND_NATURAL_ALIGNMENT ? alignment : 0;
  slot->filling = (uint8_t)(1 + rng_below(&guarded.rng, UINT8_MAX));
  slot->free_stack.count = 0;
  return slot;
}

static void *allocate_in_slot(size_t size, size_t alignment, enum block_kind kind)
{
  struct os_stack stack;
  os_stack_read(&stack);
  os_lock_acquire(&guarded_lock);
  struct guarded_slot *slot = take_slot(size, alignment);
  struct guarded_slot taken = slot != NULL ? *slot : (struct guarded_slot){0};
  os_lock_release(&guarded_lock);
  if (slot == NULL) return NULL;
  struct guarded_pages pages = guarded_pages_of(&taken);
  bool is_open = guarded_pages_open(pages);
  if (is_open) {
    guarded_pages_fill(&taken, pages);
    atomic_fetch_add_explicit(&guarded_live_total, guarded_pages_bytes(pages),
                              memory_order_relaxed);
  }
  os_lock_acquire(&guarded_lock);
  if (is_open) {
    slot->kind = (uint8_t)kind;
    slot->allocation_thread = os_thread_number();
    slot->allocation_stack = stack;
    slot->state = GUARDED_LIVE;
  } else {
    guarded_slot_give(slot);
  }
  os_lock_release(&guarded_lock);
  return is_open ? taken.block : NULL;
}

INTERNAL void *guarded_allocate(size_t size, size_t alignment, enum block_kind kind)
{
  size_t limit = guarded_slots_limit();
  if (size > limit || alignment > limit || os_lock_is_mine(&guarded_lock) || !count_live()) {
    return NULL;
  }
  int saved_errno = errno;
  void *block = allocate_in_slot(size, alignment, kind);
  if (block == NULL) count_dead();
  errno = saved_errno;
  return block;
}

// ---------------------------------------------------------------------------------------------
// What is wrong.

INTERNAL struct misuse guarded_describe(const char *what, const void *pointer,
                                        const struct guarded_slot *slot)
{
  return (struct misuse){.what = what,
                         .pointer = pointer,
                         .block = slot->block,
                         .block_bytes = slot->size,
                         .size = slot->size,
                         .alignment = slot->alignment,
                         .kind = (enum block_kind)slot->kind,
                         .allocation_thread = slot->allocation_thread,
                         .free_thread = slot->free_thread,
                         .allocation_stack = &slot->allocation_stack,
                         // of a live block it is the one that is here
                         .free_stack = slot->state != GUARDED_LIVE ? &slot->free_stack : NULL};
}

enum guarded_use { GUARDED_IN_FREE, GUARDED_IN_REALLOC, GUARDED_IN_SIZE };
enum invalid_pointer {
  INVALID_FREED,
  INVALID_INSIDE,
  INVALID_MISALIGNED,
  INVALID_UNUSED,
  INVALID_COUNT
};

static const char *const invalid_messages[][INVALID_COUNT] = {
    [GUARDED_IN_FREE] = {"double free", "free of a pointer inside a block",
                         "free of a misaligned pointer", "free of memory that is not in use"},
    [GUARDED_IN_REALLOC] = {"realloc of memory that is not in use",
                            "realloc of a pointer inside a block",
                            "realloc of a misaligned pointer",
                            "realloc of memory that is not in use"},
    [GUARDED_IN_SIZE] = {"malloc_usable_size of memory that is not in use",
                         "malloc_usable_size of a pointer inside a block",
                         "malloc_usable_size of a misaligned pointer",
                         "malloc_usable_size of memory that is not in use"},
};

// A pointer that is no live block's start; `slot` is a copy, or all zero if there is none.
static void report_invalid(enum guarded_use use, const void *pointer,
                           const struct guarded_slot *slot)
{
  size_t at = (uintptr_t)pointer - (uintptr_t)slot->block;
  enum invalid_pointer invalid = INVALID_UNUSED;
  if (slot->block != NULL && at == 0) {
    invalid = INVALID_FREED;
  } else if ((uintptr_t)pointer % KIND_NATURAL_ALIGNMENT != 0) {
    invalid = INVALID_MISALIGNED;
  } else if (slot->state == GUARDED_LIVE && at < slot->size) {
    invalid = INVALID_INSIDE;
  }
  struct misuse misuse = guarded_describe(invalid_messages[use][invalid], pointer, slot);
  report_misuse(&misuse);
}

// False if there is damage, which then has been told.
static bool check_surroundings(const struct guarded_slot *slot)
{
  const char *damage = guarded_pages_find_damage(slot, guarded_pages_of(slot));
  if (damage == NULL) return true;
  const char *what = damage < slot->block ? "underflow of a block" : "overflow of a block";
  struct misuse misuse = guarded_describe(what, slot->block, slot);
  misuse.damage = damage;
  report_misuse(&misuse);
  return false;
}

// ---------------------------------------------------------------------------------------------
// Free.

// What is known of the slot at an address, if there is one; whether a live block starts there.
static bool look_at_block(const void *block, struct guarded_slot *copy)
{
  const struct guarded_slot *slot = guarded_slot_at(block);
  if (slot != NULL) *copy = *slot;
  return slot != NULL && slot->state == GUARDED_LIVE && slot->block == block;
}

// The slot of a live block, which is this thread's to free from then on. NULL if none starts there;
// or if the claim is wrong, which *refusal then says, and the block stays as it is.
static struct guarded_slot *claim_block(void *block, const struct block_claim *claim,
                                        const struct os_stack *stack, struct guarded_slot *copy,
                                        const char **refusal)
{
  if (!look_at_block(block, copy)) return NULL;
  *refusal = claim_refusal(claim, (enum block_kind)copy->kind, copy->size, copy->alignment);
  if (*refusal != NULL) return NULL;
  struct guarded_slot *slot = guarded_slot_at(block);
  slot->state = GUARDED_FREEING;
  slot->free_thread = os_thread_number();
  slot->free_stack = *stack;
  return slot;
}

// Makes a claimed block inaccessible. Where that fails its slot is not used again.
static void release_block(struct guarded_slot *slot, struct guarded_pages pages)
{
  bool is_closed = guarded_pages_close(pages);
  os_lock_acquire(&guarded_lock);
  slot->state = GUARDED_FREED;
  if (is_closed) guarded_slot_give(slot);
  os_lock_release(&guarded_lock);
  atomic_fetch_sub_explicit(&guarded_live_total, guarded_pages_bytes(pages), memory_order_relaxed);
  count_dead();
}

INTERNAL void guarded_free(void *block, const struct block_claim *claim)
{
  int saved_errno = errno;
  struct os_stack stack;
  struct guarded_slot copy = {0};
  const char *refusal = NULL;
  os_stack_read(&stack);
  if (!enter_guarded()) return;
  struct guarded_slot *slot = claim_block(block, claim, &stack, &copy, &refusal);
  leave_guarded(true);
  if (slot != NULL) {
    (void)check_surroundings(&copy);
    if (claim->wipes) wipe_memory(copy.block, copy.size);
    release_block(slot, guarded_pages_of(&copy));
  } else if (refusal != NULL) {
    struct misuse misuse = guarded_describe(refusal, block, &copy);
    misuse.claim = claim;
    report_misuse(&misuse);
  } else {
    report_invalid(GUARDED_IN_FREE, block, &copy);
  }
  errno = saved_errno;
}

// ---------------------------------------------------------------------------------------------
// Questions.

INTERNAL bool guarded_owns(const void *pointer)
{
  size_t bytes = atomic_load_explicit(&guarded_extent.bytes, memory_order_acquire);
  return bytes != 0 && (uintptr_t)pointer - (uintptr_t)guarded_extent.start < bytes;
}

static bool find_live(const void *block, enum guarded_use use, struct guarded_slot *copy)
{
  bool has_entered = enter_guarded();
  bool is_live = look_at_block(block, copy);
  leave_guarded(has_entered);
  if (!is_live) report_invalid(use, block, copy);
  return is_live;
}

INTERNAL size_t guarded_size(const void *block)
{
  struct guarded_slot copy = {0};
  return find_live(block, GUARDED_IN_SIZE, &copy) ? copy.size : 0;
}

INTERNAL bool guarded_check(const void *block, size_t *size)
{
  struct guarded_slot copy = {0};
  if (!find_live(block, GUARDED_IN_REALLOC, &copy)) return false;
  if (copy.kind != KIND_MALLOC) {
    struct misuse misuse = guarded_describe("realloc of a block of another kind", block, &copy);
    report_misuse(&misuse);
    return false;
  }
  *size = copy.size;
  return check_surroundings(&copy);
}

INTERNAL size_t guarded_bytes_from(const void *pointer)
{
  bool has_entered = enter_guarded();
  const struct guarded_slot *slot = guarded_slot_at(pointer);
  size_t bytes = 0;
  if (slot != NULL && slot->state == GUARDED_LIVE) {
    size_t at = (uintptr_t)pointer - (uintptr_t)slot->block;
    if (at < slot->size) bytes = slot->size - at;
  }
  leave_guarded(has_entered);
  return bytes;
}

// How far an address is from what a slot has or had; SIZE_MAX if that is nothing.
static size_t distance_from(const struct guarded_slot *slot, uintptr_t address)
{
  if (slot == NULL || slot->state == GUARDED_UNUSED) return SIZE_MAX;
  uintptr_t start = (uintptr_t)slot->block;
  if (address < start) return start - address;
  return address - start < slot->size ? 0 : address - start - slot->size + 1;
}

// The ends of a slot are next to others', whose block may be the one that is meant.
INTERNAL bool guarded_find_nearest(uintptr_t address, struct guarded_slot *found)
{
  struct guarded_slot *around[3];
  bool has_entered = enter_guarded();
  guarded_slots_around((const void *)address, around);
  const struct guarded_slot *nearest = around[0];
  for (size_t i = 1; i < 3; i++) {
    if (distance_from(around[i], address) < distance_from(nearest, address)) nearest = around[i];
  }
  bool is_found = distance_from(nearest, address) != SIZE_MAX;
  if (is_found) *found = *nearest;
  leave_guarded(has_entered);
  return is_found;
}
