// SPDX-License-Identifier: MIT
//
// A kernel played by the test, as far as guards need one: without marks in its page table, so that
// each guard is a mapping, or refusing calls. os/guard.c and os/memory.c are compiled here, with
// that kernel below them. Include this before anything of the library.
#ifndef TESTS_SUPPORT_KERNEL_GUARDS_H
#define TESTS_SUPPORT_KERNEL_GUARDS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

static int kernel_madvise(void *start, size_t bytes, int advice);
static int kernel_mprotect(void *start, size_t bytes, int protection);
static void *kernel_mmap(void *start, size_t bytes, int protect, int flags, int file, off_t at);

#define madvise kernel_madvise
#define mprotect kernel_mprotect
#define mmap kernel_mmap
#include "os/guard.c"
#include "os/memory.c"
#undef madvise
#undef mprotect
#undef mmap

enum { KERNEL_GUARD_INSTALL = 102, KERNEL_GUARD_REMOVE = 103 };

static struct {
  bool has_marks;
  bool refuses_mappings;  // every mprotect and mmap fails
  size_t fails_at;        // the so-and-so-many-th call does; 0: none
  size_t fails_times;     // it, and those that follow it
  size_t calls;
  size_t refusals;
} kernel;

static bool kernel_fails(bool is_of_mappings)
{
  size_t first = kernel.fails_at, call = ++kernel.calls;
  bool has_come = first != 0 && call >= first && call < first + kernel.fails_times;
  bool fails = has_come || (is_of_mappings && kernel.refuses_mappings);
  if (fails) errno = ENOMEM;
  kernel.refusals += fails;
  return fails;
}

static int kernel_madvise(void *start, size_t bytes, int advice)
{
  if (kernel_fails(false)) return -1;
  bool is_mark = advice == KERNEL_GUARD_INSTALL || advice == KERNEL_GUARD_REMOVE;
  if (kernel.has_marks || !is_mark) return madvise(start, bytes, advice);
  errno = EINVAL;
  return -1;
}

static int kernel_mprotect(void *start, size_t bytes, int protection)
{
  return kernel_fails(true) ? -1 : mprotect(start, bytes, protection);
}

static void *kernel_mmap(void *start, size_t bytes, int protect, int flags, int file, off_t at)
{
  return kernel_fails(true) ? MAP_FAILED : mmap(start, bytes, protect, flags, file, at);
}

#endif
