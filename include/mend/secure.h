// SPDX-License-Identifier: MIT
//
// Memory for secrets: keys, passwords, tokens. Blocks between inaccessible os pages, locked in
// memory, kept from core dumps and wiped when they are freed; and wiping for blocks of the malloc
// family. What this does not do: hide a secret from the program itself, from its registers and
// stacks, from a debugger, or from who may read the machine's memory.
//
// Every function may be called from any thread at any time, unless its comment says otherwise; none
// is safe in a signal handler.
#ifndef MEND_SECURE_H
#define MEND_SECURE_H

#include "mend/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------
// Blocks. They are no blocks of the malloc family: mend_free, mend_realloc and
// mend_malloc_usable_size, given one, end the process with a message, as mend_secure_free and the
// other functions here do when they are given anything but a live block of mend_secure_alloc, or
// NULL where that is allowed. docs/Security.md lists the messages. Since 0.4.

// How a block is to be kept: several of these, joined by |, or 0.
enum mend_secure_flags {
  // Go on where the system refuses to lock the block in memory: it may then be swapped out.
  MEND_SECURE_MAY_SWAP = 1,
  // In the child of a fork the block reads as zero. Not with the next one.
  MEND_SECURE_WIPE_ON_FORK = 2,
  // In the child of a fork the block is not there: any access faults. It may be freed there.
  MEND_SECURE_OMIT_ON_FORK = 4,
  // A block of up to 480 bytes may share an os page with others of the same flags, up to 64 of
  // them. Between them there are canaries, no guard pages; mend_secure_protect is not for such
  // blocks. A larger block, or one of 0 bytes, is made as without this flag.
  MEND_SECURE_SHARE_PAGES = 8
};

// A zeroed block of exactly `size` bytes, aligned to 16, which the caller owns until
// mend_secure_free. It is locked in memory and never in a core dump. Its end is as near to an
// inaccessible os page as the alignment allows, and there is another before it: an access past the
// end faults from the first byte on if `size` is a multiple of 16, else after up to 15 bytes, in
// which, as in the up to one os page before the block, a write is found when the block is freed.
// Any access to a block of 0 bytes faults.
//
// Each block takes whole os pages, two more of address space, and up to three of the kernel's
// mappings, unless it shares (MEND_SECURE_SHARE_PAGES).
//
// NULL and errno = ENOMEM for lack of memory, address space or mappings; EAGAIN if the process has
// locked as much as it may (RLIMIT_MEMLOCK), EPERM if it may lock nothing (neither is met with
// MEND_SECURE_MAY_SWAP), or if the kernel cannot keep it from dumps or forks as asked; EINVAL for
// flags that are none, or contradict each other.
MEND_EXPORT void *mend_secure_alloc(size_t size, unsigned flags) MEND_MALLOC MEND_SIZE(1)
    MEND_NOTHROW;

// Wipes the block and gives it back, whatever access to it was allowed. NULL is allowed. errno is
// preserved. A write past the end or before the start of the block, that did not fault, ends the
// process here. The addresses of a block of up to 256 KiB stay inaccessible until 32 more such have
// been freed. No thread may be using the block.
MEND_EXPORT void mend_secure_free(void *block) MEND_NOTHROW;

// The size that was asked for; 0 for NULL.
MEND_EXPORT size_t mend_secure_size(const void *block) MEND_NOTHROW;
// Whether the block is locked in memory; false for NULL. Always false in the child of a fork for
// blocks of its parent: the kernel does not hand locks on.
MEND_EXPORT bool mend_secure_is_locked(const void *block) MEND_NOTHROW;
// Whether `pointer` lies inside a live block of mend_secure_alloc that is there in this process.
// Any address may be asked; it is never dereferenced.
MEND_EXPORT bool mend_secure_owns(const void *pointer) MEND_NOTHROW;

enum mend_secure_access {
  MEND_SECURE_READ_WRITE,  // as every block is at first
  MEND_SECURE_READ_ONLY,   // a write faults
  MEND_SECURE_NO_ACCESS    // so does a read
};
// Allows this access to the block, for all threads, until the next call. Returns whether that has
// been done; if not, nothing has changed, and errno is EINVAL for NULL, an access that is none, a
// block that shares its pages or one that a fork has left out, ENOMEM for lack of mappings.
MEND_EXPORT bool mend_secure_protect(void *block, enum mend_secure_access access) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Wiping and comparing. Since 0.4.

// Zeroes memory by stores that no compiler drops, also where nobody reads it afterwards. `memory`
// may be NULL if `bytes` is 0. Of the functions here the one for signal handlers, too.
MEND_EXPORT void mend_wipe(void *memory, size_t bytes) MEND_NOTHROW;
// mend_free for a block of the malloc family or of a heap, all of which is wiped first, to the end
// of its usable size. NULL is allowed. errno is preserved.
MEND_EXPORT void mend_free_wiped(void *block) MEND_NOTHROW;
// Whether each block of a heap is wiped when it is freed, from now on: also what mend_realloc
// leaves, and what mend_heap_destroy frees. It is not at first. Returns false and EINVAL for what
// is no heap of mend_heap_create, NULL among them: the memory of mend_malloc has no such setting.
MEND_EXPORT bool mend_heap_set_wipe(mend_heap *heap, bool wipes) MEND_NOTHROW;
// Whether both hold the same `bytes` bytes. How long it takes, and what it reads, does not depend
// on what they are. Either may be NULL if `bytes` is 0.
MEND_EXPORT bool mend_secure_equal(const void *left, const void *right, size_t bytes)
    MEND_MUST_USE MEND_NOTHROW;

#ifdef __cplusplus
}
#endif
#endif
