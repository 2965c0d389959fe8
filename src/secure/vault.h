// SPDX-License-Identifier: MIT
//
// Blocks for secrets: guarded, locked, kept from dumps, and wiped when they are freed.
//
// A vault is one mapping between two inaccessible os pages (os/secret.h). It holds one block,
// or, for those who may share, up to 64 small ones in slots of a size. A block ends where its slot
// does, but for what alignment takes, so that a write past it meets the guard page or the canary;
// all of the slot that is not the block is canary, which is looked at when the block is freed.
//
// What is known of vaults is out of line: records in metadata, and a table of them in the order of
// addresses. A freed vault loses its memory at once; its addresses stay inaccessible for a while,
// and its record stays with them, so that a second free is told. Not for signal handlers.
#ifndef SECURE_VAULT_H
#define SECURE_VAULT_H

#include "os/secret.h"

enum vault_flags {
  VAULT_MAY_SWAP = 1,      // if it can't be locked, go on
  VAULT_WIPE_ON_FORK = 2,  // the child of a fork has zeroes
  VAULT_OMIT_ON_FORK = 4,  // the child has nothing
  VAULT_SHARE_PAGES = 8,   // in one vault with others of the same flags, if it is small
  VAULT_ALL_FLAGS = 15,
};

enum vault_verdict {
  VAULT_FINE,
  VAULT_UNKNOWN,    // no address of a vault
  VAULT_INSIDE,     // in a vault, and not a block's first byte
  VAULT_FREED,      // a block that has been freed
  VAULT_OVERFLOWN,  // a byte behind the block has changed
  VAULT_UNDERRUN,   // a byte before it has
  VAULT_UNFIT,      // shares its pages, or is not in this child of a fork
  VAULT_NO_MEMORY,
};

struct vault_block {
  size_t size;  // that was asked for
  bool is_locked;
};

// A zeroed block, aligned to 16 bytes. NULL, and why in *error: ENOMEM, EPERM, EAGAIN as
// os/secret.h has them, EINVAL for flags that are none or contradict each other.
INTERNAL void *vault_allocate(size_t size, unsigned flags, int *error);
// Wipes and frees a block. If its surroundings have changed it is left as it is, and *changed is
// the first byte that has.
INTERNAL enum vault_verdict vault_free(void *block, const void **changed);
INTERNAL enum vault_verdict vault_ask(const void *block, struct vault_block *answer);
INTERNAL enum vault_verdict vault_protect(void *block, enum os_secret_access access);
// Whether an address is inside a block, or is that of a block of no bytes.
INTERNAL bool vault_owns(const void *address);
// Whether it is anywhere in a vault, also a freed one, or in the pages around it.
INTERNAL bool vault_holds(const void *address);
// The same for who shows memory: true also where that can't be known, below a signal handler that
// has interrupted a function of the vault's.
INTERNAL bool vault_may_hold(const void *address);
// The sum of what the function says of the memory of each vault that has some; 0 below a signal
// handler that has interrupted a function of the vault's.
INTERNAL size_t vault_measured(size_t (*measure)(void *argument, uintptr_t from, uintptr_t to),
                               void *argument);
// Once, before the first vault.
INTERNAL void vault_register_forks(void);

INTERNAL void vault_assert_valid(void);

#endif
