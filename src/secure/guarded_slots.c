// SPDX-License-Identifier: MIT
#include "secure/guarded_slots.h"

#include "base/bits.h"
#include "core/metadata.h"
#include "os/guard.h"
#include "os/memory.h"

enum { STRIPE_PAGE_SHIFT = 9, LEAST_PAGE_SHIFT = 1, SHIFT_COUNT = STRIPE_PAGE_SHIFT + 1 };
#define MOST_TABLE_BYTES ((size_t)8 << 20)  // what metadata gives at once

struct guarded_stripe {
  struct guarded_slot *slots;  // NULL: none, and perhaps somebody else's memory
  uint8_t page_shift;          // of each slot
};

// The slots of one size.
struct guarded_queue {
  struct guarded_slot *first;
  struct guarded_slot *last;
  size_t count;
  // Those of the newest stripe that have never been taken.
  struct guarded_slot *fresh;
  char *fresh_start;
  size_t fresh_count;
};

static struct {
  struct os_range range;
  struct guarded_stripe *stripes;
  size_t keep;
  struct guarded_queue queues[SHIFT_COUNT];  // by page_shift
} guarded_slots;

INTERNAL struct guarded_extent guarded_extent;
INTERNAL struct os_lock guarded_lock;

static size_t stripe_bytes(void)
{
  return os_page_bytes() << STRIPE_PAGE_SHIFT;
}

static size_t extent_bytes(void)
{
  return atomic_load_explicit(&guarded_extent.bytes, memory_order_acquire);
}

INTERNAL bool guarded_slots_start(size_t bytes, size_t keep)
{
  size_t stripe = stripe_bytes();
  bytes = bits_smaller(bytes, MOST_TABLE_BYTES / sizeof(struct guarded_stripe) * stripe);
  if (!os_range_find(&guarded_slots.range, bytes, stripe, stripe)) return false;
  size_t count = guarded_slots.range.bytes / stripe;
  guarded_slots.stripes = metadata_allocate(count * sizeof(struct guarded_stripe));
  if (guarded_slots.stripes == NULL) return false;
  guarded_slots.keep = keep;
  guarded_extent.start = guarded_slots.range.start;
  return true;
}

INTERNAL size_t guarded_slots_limit(void)
{
  return guarded_slots.stripes != NULL ? stripe_bytes() - os_page_bytes() : 0;
}

INTERNAL size_t guarded_slot_bytes(const struct guarded_slot *slot)
{
  return os_page_bytes() << slot->page_shift;
}

// A stripe's place where its memory can be committed: SIZE_MAX if there is none.
static size_t commit_stripe(void)
{
  struct os_range *range = &guarded_slots.range;
  size_t stripe = stripe_bytes();
  size_t at = extent_bytes();
  if (range->bytes - at < stripe) return SIZE_MAX;
  if (os_range_commit(range, range->start + at, stripe)) return at;
  size_t vacant = os_range_find_vacant(range, at, stripe, stripe);
  if (vacant == at || vacant == SIZE_MAX) return SIZE_MAX;
  return os_range_commit(range, range->start + vacant, stripe) ? vacant : SIZE_MAX;
}

// Adds a stripe of slots to the queue of their size, none of it accessible. Where nothing of ours
// comes before it the first slot is left alone: it guards what is in the second.
static bool add_stripe(struct guarded_queue *queue, unsigned page_shift)
{
  size_t count = (size_t)1 << (STRIPE_PAGE_SHIFT - page_shift);
  struct guarded_slot *slots = metadata_allocate(count * sizeof *slots);
  if (slots == NULL) return false;
  size_t at = commit_stripe();
  char *start = guarded_slots.range.start + at;
  if (at == SIZE_MAX || !os_guard_install(start, stripe_bytes())) {
    if (at != SIZE_MAX) os_range_take_back(&guarded_slots.range, start, stripe_bytes());
    metadata_free(slots, count * sizeof *slots);
    return false;
  }
  bool is_alone = at == 0 || at != extent_bytes();
  guarded_slots.stripes[at / stripe_bytes()] = (struct guarded_stripe){slots, (uint8_t)page_shift};
  queue->fresh = slots + is_alone;
  queue->fresh_start = start + (is_alone ? os_page_bytes() << page_shift : 0);
  queue->fresh_count = count - is_alone;
  // release: who finds an address in the extent finds what is known of it
  atomic_store_explicit(&guarded_extent.bytes, at + stripe_bytes(), memory_order_release);
  return true;
}

static struct guarded_slot *take_fresh_slot(struct guarded_queue *queue, unsigned page_shift)
{
  while (queue->fresh_count == 0) {
    if (!add_stripe(queue, page_shift)) return NULL;
  }
  struct guarded_slot *slot = queue->fresh++;
  slot->start = queue->fresh_start;
  slot->page_shift = (uint8_t)page_shift;
  queue->fresh_start += guarded_slot_bytes(slot);
  queue->fresh_count--;
  return slot;
}

static struct guarded_slot *take_oldest_slot(struct guarded_queue *queue)
{
  struct guarded_slot *slot = queue->first;
  if (slot == NULL) return NULL;
  queue->first = slot->next;
  if (queue->first == NULL) queue->last = NULL;
  queue->count--;
  return slot;
}

INTERNAL struct guarded_slot *guarded_slot_take(size_t bytes)
{
  if (bytes > guarded_slots_limit()) return NULL;
  size_t pages = bits_align_up(bytes, os_page_bytes()) / os_page_bytes() + 1;
  unsigned page_shift = bits_highest(bits_next_power_of_two(pages));
  if (page_shift < LEAST_PAGE_SHIFT) page_shift = LEAST_PAGE_SHIFT;
  struct guarded_queue *queue = &guarded_slots.queues[page_shift];
  struct guarded_slot *slot = NULL;
  if (queue->count < guarded_slots.keep) slot = take_fresh_slot(queue, page_shift);
  return slot != NULL ? slot : take_oldest_slot(queue);
}

INTERNAL void guarded_slot_give(struct guarded_slot *slot)
{
  struct guarded_queue *queue = &guarded_slots.queues[slot->page_shift];
  slot->next = NULL;
  if (queue->last != NULL) {
    queue->last->next = slot;
  } else {
    queue->first = slot;
  }
  queue->last = slot;
  queue->count++;
}

// The stripe of an address; NULL if it is in none.
static const struct guarded_stripe *stripe_at(const void *address)
{
  size_t at = (uintptr_t)address - (uintptr_t)guarded_extent.start;
  if (at >= extent_bytes()) return NULL;
  const struct guarded_stripe *stripe = &guarded_slots.stripes[at / stripe_bytes()];
  return stripe->slots != NULL ? stripe : NULL;
}

INTERNAL struct guarded_slot *guarded_slot_at(const void *address)
{
  const struct guarded_stripe *stripe = stripe_at(address);
  if (stripe == NULL) return NULL;
  size_t at = (uintptr_t)address % stripe_bytes();
  struct guarded_slot *slot = &stripe->slots[at / (os_page_bytes() << stripe->page_shift)];
  return slot->start != NULL ? slot : NULL;
}

INTERNAL void guarded_slots_around(const void *address, struct guarded_slot *around[static 3])
{
  const struct guarded_stripe *stripe = stripe_at(address);
  around[0] = around[1] = around[2] = NULL;
  if (stripe == NULL) return;
  size_t bytes = os_page_bytes() << stripe->page_shift;
  const char *start = (const char *)bits_align_down((uintptr_t)address, bytes);
  around[0] = guarded_slot_at(start);
  around[1] = guarded_slot_at(start - 1);
  around[2] = guarded_slot_at(start + bytes);
}

INTERNAL void guarded_slots_each(void (*visit)(const struct guarded_slot *slot, void *argument),
                                 void *argument)
{
  for (size_t i = 0; i < extent_bytes() / stripe_bytes(); i++) {
    const struct guarded_stripe *stripe = &guarded_slots.stripes[i];
    size_t count = (size_t)1 << (STRIPE_PAGE_SHIFT - stripe->page_shift);
    for (size_t j = 0; stripe->slots != NULL && j < count; j++) {
      if (stripe->slots[j].start != NULL) visit(&stripe->slots[j], argument);
    }
  }
}

INTERNAL void guarded_slots_give_up(void)
{
  os_range_settle(&guarded_slots.range, extent_bytes());
  for (size_t i = 0; i < SHIFT_COUNT; i++) guarded_slots.queues[i] = (struct guarded_queue){0};
}
