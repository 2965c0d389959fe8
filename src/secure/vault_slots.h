// SPDX-License-Identifier: MIT
//
// One vault, and how blocks lie in its slots: a block ends where its slot does, but for alignment
// and, where slots share their pages, a last piece of canary. Everything in a slot that is not the
// block is canary. For secure/vault.c, inside its lock.
#ifndef SECURE_VAULT_SLOTS_H
#define SECURE_VAULT_SLOTS_H

#include "base/bits.h"
#include "base/list.h"
#include "secure/vault.h"

enum {
  VAULT_ALIGNMENT = 16,
  VAULT_CANARY_BYTES = 16,  // at least, on both sides of a block that shares its pages
};

enum vault_state { VAULT_OPEN, VAULT_RETIRED, VAULT_OMITTED };

struct vault {
  char *start;  // behind the first guard page
  size_t bytes;
  size_t slot_bytes;
  uint64_t used;     // bit a slot
  uint64_t emptied;  // bit a slot: it had a block
  unsigned char canary[VAULT_CANARY_BYTES];
  struct list roomy;  // in vaults.roomy, if it shares and has room
  uint32_t slots;
  uint8_t state;
  uint8_t flags;
  bool is_locked;
  bool is_inherited;  // from the parent of this process
  size_t sizes[];     // that were asked for
};

static inline size_t vault_record_bytes(uint32_t slots)
{
  return sizeof(struct vault) + slots * sizeof(size_t);
}

static inline bool vault_shares(const struct vault *vault)
{
  return (vault->flags & VAULT_SHARE_PAGES) != 0;
}

static inline char *vault_slot_start(const struct vault *vault, uint32_t slot)
{
  return vault->start + slot * vault->slot_bytes;
}

static inline char *vault_block_in(const struct vault *vault, uint32_t slot)
{
  size_t tail = vault_shares(vault) ? VAULT_CANARY_BYTES : 0;
  size_t held = bits_align_up(vault->sizes[slot], VAULT_ALIGNMENT);
  return vault_slot_start(vault, slot) + vault->slot_bytes - tail - held;
}

// The slot that an address is in; the guard pages belong to the slots that they are beside.
static inline uint32_t vault_slot_of(const struct vault *vault, const void *address)
{
  uintptr_t start = (uintptr_t)vault->start;
  if ((uintptr_t)address < start) return 0;
  size_t slot = ((uintptr_t)address - start) / vault->slot_bytes;
  return slot < vault->slots ? (uint32_t)slot : vault->slots - 1;
}

static inline void vault_fill(const struct vault *vault, char *from, const char *to)
{
  for (char *at = from; at < to; at++)
    *at = (char)vault->canary[(uintptr_t)at % VAULT_CANARY_BYTES];
}

// The first byte of a stretch that is not the canary's, or NULL.
static inline const char *vault_first_changed(const struct vault *vault, const char *from,
                                              const char *to)
{
  for (const char *at = from; at < to; at++) {
    if (*at != (char)vault->canary[(uintptr_t)at % VAULT_CANARY_BYTES]) return at;
  }
  return NULL;
}

static inline void *vault_occupy(struct vault *vault, uint32_t slot, size_t size)
{
  vault->sizes[slot] = size;
  vault->used |= UINT64_C(1) << slot;
  vault->emptied &= ~(UINT64_C(1) << slot);
  char *start = vault_slot_start(vault, slot);
  char *block = vault_block_in(vault, slot);
  vault_fill(vault, start, block);
  vault_fill(vault, block + size, start + vault->slot_bytes);
  if (vault_shares(vault) && vault->used == bits_low_mask(vault->slots)) list_remove(&vault->roomy);
  return block;
}

#endif
