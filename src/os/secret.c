// SPDX-License-Identifier: MIT
#include "os/secret.h"

#include <errno.h>
#include <sys/mman.h>

#include "os/memory.h"

// Constants of the kernel's interface that older headers lack.
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define PRIVATE_ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

// Where the mapping begins, and how long it is, with the pages at both ends.
static char *outer_start(void *start)
{
  return (char *)start - os_page_bytes();
}

static size_t outer_bytes(size_t bytes)
{
  return bytes + 2 * os_page_bytes();
}

static bool set_fate(char *outer, size_t bytes, enum os_fork_fate fate)
{
  static const int advice[] = {
      [OS_FORK_WIPED] = MADV_WIPEONFORK, [OS_FORK_OMITTED] = MADV_DONTFORK};
  return fate == OS_FORK_COPIED || madvise(outer, bytes, advice[fate]) == 0;
}

INTERNAL void *os_secret_map(size_t bytes, enum os_fork_fate fate, int *error)
{
  *error = ENOMEM;
  if (bytes > PTRDIFF_MAX - 2 * os_page_bytes()) return NULL;
  char *outer = mmap(NULL, outer_bytes(bytes), PROT_NONE, PRIVATE_ANONYMOUS, -1, 0);
  if (outer == MAP_FAILED) return NULL;
  char *start = outer + os_page_bytes();
  // First what holds for all of it, so that it is as few mappings as it can be.
  if (madvise(outer, outer_bytes(bytes), MADV_DONTDUMP) != 0 ||
      !set_fate(outer, outer_bytes(bytes), fate)) {
    *error = EPERM;
  } else if (os_secret_protect(start, bytes, OS_SECRET_WRITE)) {
    return start;
  }
  os_secret_unmap(start, bytes);
  return NULL;
}

INTERNAL int os_secret_lock(void *start, size_t bytes)
{
  if (mlock(start, bytes) == 0) return 0;
  return errno == EPERM ? EPERM : EAGAIN;
}

INTERNAL bool os_secret_protect(void *start, size_t bytes, enum os_secret_access access)
{
  static const int protections[] = {[OS_SECRET_WRITE] = PROT_READ | PROT_WRITE,
                                    [OS_SECRET_READ] = PROT_READ,
                                    [OS_SECRET_NONE] = PROT_NONE};
  return mprotect(start, bytes, protections[access]) == 0;
}

INTERNAL bool os_secret_retire(void *start, size_t bytes)
{
  int flags = PRIVATE_ANONYMOUS | MAP_FIXED;
  return mmap(outer_start(start), outer_bytes(bytes), PROT_NONE, flags, -1, 0) != MAP_FAILED;
}

INTERNAL bool os_secret_bar(void *start, size_t bytes)
{
  char *outer = outer_start(start);
  int flags = PRIVATE_ANONYMOUS | MAP_FIXED_NOREPLACE;
  void *mapped = mmap(outer, outer_bytes(bytes), PROT_NONE, flags, -1, 0);
  if (mapped == outer) return true;
  if (mapped != MAP_FAILED) munmap(mapped, outer_bytes(bytes));  // a kernel before 4.17
  return false;
}

INTERNAL void os_secret_unmap(void *start, size_t bytes)
{
  munmap(outer_start(start), outer_bytes(bytes));
}
