// SPDX-License-Identifier: MIT
//
// Blocks for secrets, as the vault keeps them, and what is said of a pointer that is none; wiping
// of other blocks, by call and by heap.
#include "mend/secure.h"

#include "api/allocate.h"
#include "api/extent.h"
#include "api/init.h"
#include "base/fatal.h"
#include "base/wipe.h"
#include "core/registry.h"
#include "secure/vault.h"

static_assert((int)MEND_SECURE_MAY_SWAP == (int)VAULT_MAY_SWAP &&
                  (int)MEND_SECURE_WIPE_ON_FORK == (int)VAULT_WIPE_ON_FORK &&
                  (int)MEND_SECURE_OMIT_ON_FORK == (int)VAULT_OMIT_ON_FORK &&
                  (int)MEND_SECURE_SHARE_PAGES == (int)VAULT_SHARE_PAGES,
              "the vault knows the flags by other names");

// Ends the process unless the vault has found nothing amiss. The address is the pointer that was
// given, or the first byte that has changed.
static void insist(enum vault_verdict verdict, const void *address)
{
  switch (verdict) {
  case VAULT_UNKNOWN:
    fatal("use of a pointer that is no secure block", address);
  case VAULT_INSIDE:
    fatal("use of a pointer inside a secure block", address);
  case VAULT_FREED:
    fatal("use of a secure block that has been freed", address);
  case VAULT_OVERFLOWN:
    fatal("write past the end of a secure block", address);
  case VAULT_UNDERRUN:
    fatal("write before the start of a secure block", address);
  case VAULT_FINE:
  case VAULT_UNFIT:
  case VAULT_NO_MEMORY:
    break;
  }
}

void *mend_secure_alloc(size_t size, unsigned flags)
{
  int saved_errno = errno;
  int error;
  init_once();
  void *block = vault_allocate(size, flags, &error);
  errno = block != NULL ? saved_errno : error;
  return block;
}

void mend_secure_free(void *block)
{
  if (block == NULL) return;
  int saved_errno = errno;
  const void *changed = NULL;
  enum vault_verdict verdict = vault_free(block, &changed);
  insist(verdict, changed != NULL ? changed : block);
  errno = saved_errno;
}

static struct vault_block ask(const void *block)
{
  struct vault_block answer = {0, false};
  if (block != NULL) insist(vault_ask(block, &answer), block);
  return answer;
}

size_t mend_secure_size(const void *block)
{
  return ask(block).size;
}

bool mend_secure_is_locked(const void *block)
{
  return ask(block).is_locked;
}

bool mend_secure_owns(const void *pointer)
{
  return vault_owns(pointer);
}

bool mend_secure_protect(void *block, enum mend_secure_access access)
{
  static const enum os_secret_access accesses[] = {[MEND_SECURE_READ_WRITE] = OS_SECRET_WRITE,
                                                   [MEND_SECURE_READ_ONLY] = OS_SECRET_READ,
                                                   [MEND_SECURE_NO_ACCESS] = OS_SECRET_NONE};
  enum vault_verdict verdict = VAULT_UNFIT;
  int saved_errno = errno;
  if (block != NULL && (unsigned)access <= MEND_SECURE_NO_ACCESS) {
    verdict = vault_protect(block, accesses[access]);
    insist(verdict, block);
  }
  errno = verdict == VAULT_UNFIT ? EINVAL : verdict == VAULT_NO_MEMORY ? ENOMEM : saved_errno;
  return verdict == VAULT_FINE;
}

// ---------------------------------------------------------------------------------------------

void mend_wipe(void *memory, size_t bytes)
{
  wipe_memory(memory, bytes);
}

void mend_free_wiped(void *block)
{
  allocate_free(block, &(struct block_claim){.kind = KIND_MALLOC, .wipes = true});
}

bool mend_heap_set_wipe(mend_heap *heap, bool wipes)
{
  struct heap *core = (struct heap *)(void *)heap;
  if (core == NULL || !registry_is_first_class(core)) {
    errno = EINVAL;
    return false;
  }
  registry_set_wipe(core, wipes);
  return true;
}

bool mend_secure_equal(const void *left, const void *right, size_t bytes)
{
  const volatile unsigned char *one = left;
  const volatile unsigned char *other = right;
  unsigned difference = 0;
  for (size_t i = 0; i < bytes; i++) difference |= (unsigned)(one[i] ^ other[i]);
  return difference == 0;
}
