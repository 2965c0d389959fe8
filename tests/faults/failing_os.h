// SPDX-License-Identifier: MIT
//
// A kernel that refuses, lacks or limits what it is asked for. This header holds the library's own
// os layer, compiled with other names for the calls of the kernel and the C library that can fail;
// a program that includes it is linked without the layer as it is. (munmap never fails here: it
// needs memory only to make two mappings of one, which the library never asks.)
//
// The environment tells what is wrong with it, since the library makes its first calls before main:
//   MEND_TEST_FAULT=once:N     the N-th call that could fail for lack of memory does
//   MEND_TEST_FAULT=from:N     and so do all that follow it, until failing_os_heal
//   MEND_TEST_FAULT=commit:N   no more than N bytes are made writable (strict overcommit)
//   MEND_TEST_FAULT=lacks:...  it is an old or restricted kernel; words as in struct lacks
// Addresses and lengths must always be multiples of the os page that the library believes in.
#ifndef TESTS_FAULTS_FAILING_OS_H
#define TESTS_FAULTS_FAILING_OS_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../support/support.h"
#include "os/memory.h"

static void *kernel_mmap(void *start, size_t bytes, int protect, int flags, int file, off_t at);
static int kernel_munmap(void *start, size_t bytes);
static int kernel_mprotect(void *start, size_t bytes, int protection);
static void *kernel_mremap(void *from, size_t bytes, size_t new_bytes, int flags, void *to);
static int kernel_madvise(void *start, size_t bytes, int advice);
static long kernel_syscall(long number, ...);
static int kernel_key_create(pthread_key_t *key, void (*destructor)(void *));
static int kernel_setspecific(pthread_key_t key, const void *value);
static int kernel_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

// The layer itself. What it says of the kernel's interface holds below too.
#define mmap kernel_mmap
#define munmap kernel_munmap
#define mprotect kernel_mprotect
#define mremap kernel_mremap
#define madvise kernel_madvise
#include "os/guard.c"
#include "os/memory.c"

#define syscall kernel_syscall
#define pthread_key_create kernel_key_create
#define pthread_setspecific kernel_setspecific
#define pthread_atfork kernel_atfork
#include "os/thread.c"
#include "os/node.c"

#undef mmap
#undef munmap
#undef mprotect
#undef mremap
#undef madvise
#undef syscall
#undef pthread_key_create
#undef pthread_setspecific
#undef pthread_atfork

// What a kernel may lack. The word in the environment is the member's name.
struct lacks {
  bool membarrier;  // and has never had it
  bool barriers;    // membarrier is there at first and then taken away, as by seccomp
  bool dontunmap;   // of mremap
  bool huge_pages;  // transparent ones
  bool noreplace;   // of mmap: the address is a hint
  bool dontneed;    // all memory is locked
  bool numa;        // mbind and its kind
  bool binding;     // the right to call them
  bool keys;        // thread-specific keys are used up, and there is no memory for fork handlers
};

static struct {
  size_t fails_at;  // 0: never
  bool fails_on;
  size_t most_bytes;  // that may be writable; 0: any
  struct lacks lacks;
  _Atomic(bool) is_healed;
  _Atomic(size_t) calls;
  _Atomic(size_t) failures;
  _Atomic(size_t) barriers;
  _Atomic(size_t) committed_bytes;
  _Atomic(void *) last_committed;  // which may be taken back
} kernel;

// Calls so far that could have failed.
static inline size_t failing_os_calls(void)
{
  return kernel.calls;
}

// Those of them that did, or that met with what is lacking.
static inline size_t failing_os_failures(void)
{
  return kernel.failures;
}

// From now on nothing fails for lack of memory.
static inline void failing_os_heal(void)
{
  kernel.is_healed = true;
}

// Bytes that are writable now, as strict overcommit counts them.
static inline size_t failing_os_committed_bytes(void)
{
  return kernel.committed_bytes;
}

static bool is_said(const char *words, const char *word)
{
  size_t length = strlen(word);
  for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
    bool starts = at == words || at[-1] == ',';
    if (starts && (at[length] == ',' || at[length] == '\0')) return true;
  }
  return false;
}

static void read_lacks(const char *words)
{
#define READ(word) kernel.lacks.word = is_said(words, #word)
  READ(membarrier);
  READ(barriers);
  READ(dontunmap);
  READ(huge_pages);
  READ(noreplace);
  READ(dontneed);
  READ(numa);
  READ(binding);
  READ(keys);
#undef READ
}

// Before the library's own constructor.
__attribute__((constructor(101))) static void read_fault(void)
{
  const char *fault = getenv("MEND_TEST_FAULT");
  if (fault == NULL) return;
  const char *value = strchr(fault, ':');
  CHECK(value != NULL);
  value++;
  if (strncmp(fault, "lacks:", 6) == 0) {
    read_lacks(value);
  } else if (strncmp(fault, "commit:", 7) == 0) {
    kernel.most_bytes = strtoull(value, NULL, 10);
  } else {
    kernel.fails_on = strncmp(fault, "from:", 5) == 0;
    CHECK(kernel.fails_on || strncmp(fault, "once:", 5) == 0);
    kernel.fails_at = strtoull(value, NULL, 10);
  }
}

// Refuses, or answers in an older way, what this kernel lacks.
static bool lacks(bool is_lacking)
{
  if (is_lacking) kernel.failures++;
  return is_lacking;
}

// Whether the call that is about to be made fails.
static bool fails(void)
{
  size_t number = atomic_fetch_add(&kernel.calls, 1) + 1;
  if (kernel.is_healed || kernel.fails_at == 0) return false;
  bool is_due = kernel.fails_on ? number >= kernel.fails_at : number == kernel.fails_at;
  if (!is_due) return false;
  kernel.failures++;
  errno = ENOMEM;
  return true;
}

// Charges memory that becomes writable.
static bool may_commit(size_t bytes)
{
  size_t before = atomic_fetch_add(&kernel.committed_bytes, bytes);
  if (kernel.most_bytes == 0 || before + bytes <= kernel.most_bytes) return true;
  atomic_fetch_sub(&kernel.committed_bytes, bytes);
  errno = ENOMEM;
  return false;
}

// What was made writable last is taken back.
static void uncharge(void *start, size_t bytes)
{
  if (start == atomic_exchange(&kernel.last_committed, NULL)) kernel.committed_bytes -= bytes;
}

static void check_range(const void *start, size_t bytes)
{
  CHECK(is_aligned(start, os_page_bytes()));
  CHECK(bytes > 0 && bytes % os_page_bytes() == 0);
}

static void *kernel_mmap(void *start, size_t bytes, int protection, int flags, int file,
                         off_t offset)
{
  bool is_writable = (protection & PROT_WRITE) != 0;
  bool is_new = (flags & MAP_FIXED) == 0;
  if (is_writable) check_range(start, bytes);
  if (fails()) return MAP_FAILED;
  if (is_writable && is_new && !may_commit(bytes)) return MAP_FAILED;
  bool is_placed = (flags & MAP_FIXED_NOREPLACE) != 0;
  if (lacks(is_placed && kernel.lacks.noreplace)) flags &= ~MAP_FIXED_NOREPLACE;
  void *mapped = mmap(start, bytes, protection, flags, file, offset);
  if (mapped == MAP_FAILED && is_writable && is_new) kernel.committed_bytes -= bytes;
  if (mapped != MAP_FAILED && is_writable && is_new) kernel.last_committed = mapped;
  if (mapped == start && !is_writable && !is_new) uncharge(start, bytes);
  return mapped;
}

static int kernel_munmap(void *start, size_t bytes)
{
  uncharge(start, bytes);
  return munmap(start, bytes);
}

static int kernel_mprotect(void *start, size_t bytes, int protection)
{
  check_range(start, bytes);
  if (fails() || !may_commit(bytes)) return -1;
  kernel.last_committed = start;
  return mprotect(start, bytes, protection);
}

static void *kernel_mremap(void *from, size_t bytes, size_t new_bytes, int flags, void *to)
{
  check_range(from, bytes);
  check_range(to, new_bytes);
  if (fails()) return MAP_FAILED;
  if (lacks(kernel.lacks.dontunmap)) {
    errno = EINVAL;
    return MAP_FAILED;
  }
  return mremap(from, bytes, new_bytes, flags, to);
}

static int kernel_madvise(void *start, size_t bytes, int advice)
{
  check_range(start, bytes);
  if (fails()) return -1;
  bool is_dontneed = advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED;
  bool is_lacking = (advice == MADV_HUGEPAGE && kernel.lacks.huge_pages) ||
                    (is_dontneed && kernel.lacks.dontneed);
  if (!lacks(is_lacking)) return madvise(start, bytes, advice);
  errno = EINVAL;
  return -1;
}

#include "failing_calls.h"

static int kernel_key_create(pthread_key_t *key, void (*destructor)(void *))
{
  return lacks(kernel.lacks.keys) ? EAGAIN : pthread_key_create(key, destructor);
}

static int kernel_setspecific(pthread_key_t key, const void *value)
{
  return lacks(kernel.lacks.keys) ? ENOMEM : pthread_setspecific(key, value);
}

static int kernel_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
  return lacks(kernel.lacks.keys) ? ENOMEM : pthread_atfork(prepare, parent, child);
}

#endif
