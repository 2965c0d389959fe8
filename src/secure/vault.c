// SPDX-License-Identifier: MIT
#include "secure/vault.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/fatal.h"
#include "base/list.h"
#include "base/wipe.h"
#include "core/metadata.h"
#include "os/memory.h"
#include "os/system.h"
#include "os/thread.h"
#include "secure/vault_slots.h"

enum {
  SLOT_BYTES = 64,    // the smallest slot; others are twice as large each
  SLOT_SIZES = 4,     // up to 512
  SLOTS_MOST = 64,    // of a vault
  RETIRED_MOST = 32,  // freed vaults whose addresses are kept
  TABLE_LEAST = 32,
};
#define RETIRED_BYTES ((size_t)256 << 10)  // larger ones are not

static struct {
  struct os_lock lock;  // protects the rest
  struct vault **all;   // in the order of addresses
  size_t count;
  size_t room;
  struct list roomy[SLOT_SIZES][VAULT_ALL_FLAGS + 1];
  struct vault *retired[RETIRED_MOST];  // a ring, the oldest at `oldest`
  size_t oldest;
  unsigned forks;  // that the lock's holder has begun when it held it already, in a handler
} vaults;

// ---------------------------------------------------------------------------------------------
// The table.

// How many vaults begin at an address or before it, with their guard pages.
static size_t count_up_to(uintptr_t address)
{
  size_t low = 0;
  size_t high = vaults.count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if ((uintptr_t)vaults.all[middle]->start - os_page_bytes() <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The vault that an address is in, its guard pages included, or NULL.
static struct vault *find(const void *address)
{
  size_t before = count_up_to((uintptr_t)address);
  if (before == 0) return NULL;
  struct vault *vault = vaults.all[before - 1];
  uintptr_t end = (uintptr_t)vault->start + vault->bytes + os_page_bytes();
  return (uintptr_t)address < end ? vault : NULL;
}

static bool insert(struct vault *vault)
{
  if (vaults.count == vaults.room) {
    size_t room = bits_larger(2 * vaults.room, TABLE_LEAST);
    struct vault **larger = metadata_allocate(room * sizeof(struct vault *));
    if (larger == NULL) return false;
    if (vaults.all != NULL) {
      memcpy(larger, vaults.all, vaults.count * sizeof(struct vault *));
      metadata_free(vaults.all, vaults.room * sizeof(struct vault *));
    }
    vaults.all = larger;
    vaults.room = room;
  }
  size_t at = count_up_to((uintptr_t)vault->start);
  memmove(&vaults.all[at + 1], &vaults.all[at], (vaults.count - at) * sizeof(struct vault *));
  vaults.all[at] = vault;
  vaults.count++;
  return true;
}

static void forget(struct vault *vault)
{
  size_t at = count_up_to((uintptr_t)vault->start) - 1;
  vaults.count--;
  memmove(&vaults.all[at], &vaults.all[at + 1], (vaults.count - at) * sizeof(struct vault *));
  metadata_free(vault, vault_record_bytes(vault->slots));
}

// ---------------------------------------------------------------------------------------------
// Vaults come and go.

static enum os_fork_fate fate_of(unsigned flags)
{
  if ((flags & VAULT_WIPE_ON_FORK) != 0) return OS_FORK_WIPED;
  return (flags & VAULT_OMIT_ON_FORK) != 0 ? OS_FORK_OMITTED : OS_FORK_COPIED;
}

// Which size of slot a block takes that may share: SLOT_SIZES if none has room for it.
static unsigned slot_size_of(size_t size, unsigned flags)
{
  unsigned which = 0;
  if ((flags & VAULT_SHARE_PAGES) == 0 || size == 0) return SLOT_SIZES;
  while (which < SLOT_SIZES && size > ((size_t)SLOT_BYTES << which) - 2 * VAULT_CANARY_BYTES)
    which++;
  return which;
}

// The memory of a vault, locked if that can be or must be.
static char *map_memory(size_t bytes, unsigned flags, bool *is_locked, int *error)
{
  char *start = os_secret_map(bytes, fate_of(flags), error);
  if (start == NULL) return NULL;
  int refusal = os_secret_lock(start, bytes);
  *is_locked = refusal == 0;
  if (refusal == 0 || (flags & VAULT_MAY_SWAP) != 0) return start;
  *error = refusal;
  os_secret_unmap(start, bytes);
  return NULL;
}

// A vault of empty slots, which is not in the table yet.
static struct vault *create(size_t bytes, size_t slot_bytes, unsigned flags, int *error)
{
  uint32_t slots = (uint32_t)bits_smaller(bytes / slot_bytes, SLOTS_MOST);
  bool is_locked = false;
  struct vault *vault = metadata_allocate(vault_record_bytes(slots));
  *error = ENOMEM;
  if (vault == NULL) return NULL;
  char *start = map_memory(bytes, flags, &is_locked, error);
  if (start == NULL) {
    metadata_free(vault, vault_record_bytes(slots));
    return NULL;
  }
  *vault = (struct vault){.start = start,
                          .bytes = bytes,
                          .slot_bytes = slot_bytes,
                          .slots = slots,
                          .state = VAULT_OPEN,
                          .flags = (uint8_t)flags,
                          .is_locked = is_locked};
  os_entropy(vault->canary, sizeof vault->canary);
  return vault;
}

static bool enter_or_drop(struct vault *vault)
{
  if (insert(vault)) return true;
  os_secret_unmap(vault->start, vault->bytes);
  metadata_free(vault, vault_record_bytes(vault->slots));
  return false;
}

static void *allocate_alone(size_t size, unsigned flags, int *error)
{
  size_t page = os_page_bytes();
  if (size > PTRDIFF_MAX - 3 * page) {
    *error = ENOMEM;
    return NULL;
  }
  size_t bytes = bits_align_up(bits_larger(size, 1), page);
  struct vault *vault = create(bytes, bytes, flags & ~(unsigned)VAULT_SHARE_PAGES, error);
  if (vault == NULL) return NULL;
  void *block = vault_occupy(vault, 0, size);
  os_lock_acquire(&vaults.lock);
  if (!enter_or_drop(vault)) block = NULL;
  os_lock_release(&vaults.lock);
  *error = ENOMEM;
  return block;
}

static struct list *roomy_of(size_t slot_bytes, unsigned flags)
{
  struct list *head = &vaults.roomy[bits_highest(slot_bytes / SLOT_BYTES)][flags];
  if (head->next == NULL) list_init(head);
  return head;
}

static void *allocate_shared(size_t size, size_t slot_bytes, unsigned flags, int *error)
{
  void *block = NULL;
  os_lock_acquire(&vaults.lock);
  struct list *roomy = roomy_of(slot_bytes, flags);
  if (list_is_empty(roomy)) {
    struct vault *vault = create(os_page_bytes(), slot_bytes, flags, error);
    if (vault != NULL && enter_or_drop(vault)) list_push_front(roomy, &vault->roomy);
  }
  if (!list_is_empty(roomy)) {
    struct vault *vault = CONTAINER_OF(roomy->next, struct vault, roomy);
    block = vault_occupy(vault, bits_lowest(~vault->used), size);
  }
  os_lock_release(&vaults.lock);
  return block;
}

INTERNAL void *vault_allocate(size_t size, unsigned flags, int *error)
{
  unsigned fates = VAULT_WIPE_ON_FORK | VAULT_OMIT_ON_FORK;
  if ((flags & ~(unsigned)VAULT_ALL_FLAGS) != 0 || (flags & fates) == fates) {
    *error = EINVAL;
    return NULL;
  }
  unsigned which = slot_size_of(size, flags);
  if (which < SLOT_SIZES) return allocate_shared(size, (size_t)SLOT_BYTES << which, flags, error);
  return allocate_alone(size, flags, error);
}

// The vault has no block any more: its memory goes back at once, its addresses some frees later.
static void retire(struct vault *vault)
{
  if (list_contains_node(&vault->roomy)) list_remove(&vault->roomy);
  bool is_kept = vault->bytes <= RETIRED_BYTES && os_secret_retire(vault->start, vault->bytes);
  struct vault *leaves = vault;
  vault->state = VAULT_RETIRED;
  if (is_kept) {
    leaves = vaults.retired[vaults.oldest];
    vaults.retired[vaults.oldest] = vault;
    vaults.oldest = (vaults.oldest + 1) % RETIRED_MOST;
  }
  if (leaves == NULL) return;
  os_secret_unmap(leaves->start, leaves->bytes);
  forget(leaves);
}

// ---------------------------------------------------------------------------------------------
// What is asked of blocks. Under the lock.

static enum vault_verdict judge(const struct vault *vault, const void *block)
{
  if (vault == NULL) return VAULT_UNKNOWN;
  uint32_t slot = vault_slot_of(vault, block);
  bool is_start = block == vault_block_in(vault, slot);
  if ((vault->used >> slot & 1) != 0) return is_start ? VAULT_FINE : VAULT_INSIDE;
  return (vault->emptied >> slot & 1) != 0 && is_start ? VAULT_FREED : VAULT_INSIDE;
}

static enum vault_verdict check_canary(const struct vault *vault, uint32_t slot,
                                       const void **changed)
{
  const char *start = vault_slot_start(vault, slot);
  const char *block = vault_block_in(vault, slot);
  *changed = vault_first_changed(vault, block + vault->sizes[slot], start + vault->slot_bytes);
  if (*changed != NULL) return VAULT_OVERFLOWN;
  *changed = vault_first_changed(vault, start, block);
  return *changed != NULL ? VAULT_UNDERRUN : VAULT_FINE;
}

// Looks at a block's surroundings and wipes all of its slot.
static enum vault_verdict close_slot(struct vault *vault, uint32_t slot, const void **changed)
{
  if (vault->state == VAULT_OMITTED) return VAULT_FINE;
  // If that is refused the memory goes back unseen, which wipes it too.
  if (!vault_shares(vault) && !os_secret_protect(vault->start, vault->bytes, OS_SECRET_WRITE)) {
    return VAULT_FINE;
  }
  enum vault_verdict verdict = check_canary(vault, slot, changed);
  if (verdict == VAULT_FINE) wipe_memory(vault_slot_start(vault, slot), vault->slot_bytes);
  return verdict;
}

static enum vault_verdict free_block(void *block, const void **changed)
{
  struct vault *vault = find(block);
  enum vault_verdict verdict = judge(vault, block);
  if (verdict != VAULT_FINE) return verdict;
  uint32_t slot = vault_slot_of(vault, block);
  verdict = close_slot(vault, slot, changed);
  if (verdict != VAULT_FINE) return verdict;
  vault->used &= ~(UINT64_C(1) << slot);
  vault->emptied |= UINT64_C(1) << slot;
  if (vault->used == 0) {
    retire(vault);
  } else if (!list_contains_node(&vault->roomy) && !vault->is_inherited) {
    list_push_front(roomy_of(vault->slot_bytes, vault->flags), &vault->roomy);
  }
  return VAULT_FINE;
}

INTERNAL enum vault_verdict vault_free(void *block, const void **changed)
{
  os_lock_acquire(&vaults.lock);
  enum vault_verdict verdict = free_block(block, changed);
  os_lock_release(&vaults.lock);
  return verdict;
}

INTERNAL enum vault_verdict vault_ask(const void *block, struct vault_block *answer)
{
  os_lock_acquire(&vaults.lock);
  const struct vault *vault = find(block);
  enum vault_verdict verdict = judge(vault, block);
  if (verdict == VAULT_FINE) {
    *answer = (struct vault_block){vault->sizes[vault_slot_of(vault, block)], vault->is_locked};
  }
  os_lock_release(&vaults.lock);
  return verdict;
}

static enum vault_verdict protect_block(void *block, enum os_secret_access access)
{
  struct vault *vault = find(block);
  enum vault_verdict verdict = judge(vault, block);
  if (verdict != VAULT_FINE) return verdict;
  if (vault_shares(vault) || vault->state != VAULT_OPEN) return VAULT_UNFIT;
  return os_secret_protect(vault->start, vault->bytes, access) ? VAULT_FINE : VAULT_NO_MEMORY;
}

INTERNAL enum vault_verdict vault_protect(void *block, enum os_secret_access access)
{
  os_lock_acquire(&vaults.lock);
  enum vault_verdict verdict = protect_block(block, access);
  os_lock_release(&vaults.lock);
  return verdict;
}

INTERNAL bool vault_owns(const void *address)
{
  os_lock_acquire(&vaults.lock);
  const struct vault *vault = find(address);
  bool is_inside = false;
  if (vault != NULL && vault->state == VAULT_OPEN) {
    uint32_t slot = vault_slot_of(vault, address);
    const char *block = vault_block_in(vault, slot);
    size_t at = (uintptr_t)address - (uintptr_t)block;
    is_inside = (vault->used >> slot & 1) != 0 && at < bits_larger(vault->sizes[slot], 1);
  }
  os_lock_release(&vaults.lock);
  return is_inside;
}

INTERNAL bool vault_holds(const void *address)
{
  if (os_lock_is_mine(&vaults.lock)) return false;
  os_lock_acquire(&vaults.lock);
  bool is_held = find(address) != NULL;
  os_lock_release(&vaults.lock);
  return is_held;
}

INTERNAL bool vault_may_hold(const void *address)
{
  return os_lock_is_mine(&vaults.lock) || vault_holds(address);
}

// ---------------------------------------------------------------------------------------------
// Forks. The lock is held over them, so that the child finds everything whole.

static void before_fork(void)
{
  if (os_lock_is_mine(&vaults.lock)) {
    vaults.forks++;
  } else {
    os_lock_acquire(&vaults.lock);
  }
}

static void after_fork(void)
{
  if (vaults.forks > 0) {
    vaults.forks--;
  } else {
    os_lock_release(&vaults.lock);
  }
}

// No lock on memory is inherited: what must be locked is not put beside what was the parent's. The
// addresses of what is not there are kept; false if something else has come to be there.
static bool hand_down(struct vault *vault)
{
  vault->is_inherited = true;
  vault->is_locked = false;
  if (list_contains_node(&vault->roomy)) list_remove(&vault->roomy);
  if (vault->state != VAULT_OPEN) return true;
  if (fate_of(vault->flags) == OS_FORK_WIPED) memset(vault->canary, 0, sizeof vault->canary);
  if (fate_of(vault->flags) != OS_FORK_OMITTED) return true;
  vault->state = VAULT_OMITTED;
  return os_secret_bar(vault->start, vault->bytes);
}

static void after_fork_in_child(void)
{
  for (size_t i = vaults.count; i-- > 0;) {
    if (!hand_down(vaults.all[i])) forget(vaults.all[i]);
  }
  after_fork();
}

INTERNAL size_t vault_measured(size_t (*measure)(void *argument, uintptr_t from, uintptr_t to),
                               void *argument)
{
  size_t bytes = 0;
  if (os_lock_is_mine(&vaults.lock)) return 0;
  os_lock_acquire(&vaults.lock);
  for (size_t i = 0; i < vaults.count; i++) {
    const struct vault *vault = vaults.all[i];
    uintptr_t start = (uintptr_t)vault->start;
    if (vault->state == VAULT_OPEN) bytes += measure(argument, start, start + vault->bytes);
  }
  os_lock_release(&vaults.lock);
  return bytes;
}

INTERNAL void vault_register_forks(void)
{
  (void)os_on_fork(before_fork, after_fork, after_fork_in_child);
}

INTERNAL void vault_assert_valid(void)
{
  os_lock_acquire(&vaults.lock);
  for (size_t i = 0; i < vaults.count; i++) {
    const struct vault *vault = vaults.all[i];
    ASSERT(i == 0 || vaults.all[i - 1]->start + vaults.all[i - 1]->bytes < vault->start);
    ASSERT((vault->used & vault->emptied) == 0 && (vault->state != VAULT_RETIRED || !vault->used));
    ASSERT((vault->used & ~bits_low_mask(vault->slots)) == 0);
    (void)vault;
  }
  os_lock_release(&vaults.lock);
}
