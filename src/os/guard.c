// SPDX-License-Identifier: MIT
#include "os/guard.h"

#include <sys/mman.h>

#include "os/calls.h"
#include "os/memory.h"

// Older headers lack them.
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static _Atomic(int) guard_marks;               // 1: there are, -1: there are not, 0: not known yet
static _Atomic(bool) has_inaccessible_guards;  // whether there may be some without a mark

// An emulator may say yes and do nothing: whether a page that was a guard has lost what it held.
static bool try_marks(void)
{
  size_t bytes = os_page_bytes();
  char *page = calls_map(NULL, bytes, PROT_READ | PROT_WRITE, 0);
  if (page == NULL) return false;
  page[0] = 1;
  bool works = calls_advise(page, bytes, MADV_GUARD_INSTALL) &&
               calls_advise(page, bytes, MADV_GUARD_REMOVE) && page[0] == 0;
  calls_unmap(page, bytes);
  return works;
}

static bool has_marks(void)
{
  int marks = atomic_load_explicit(&guard_marks, memory_order_relaxed);
  if (marks == 0) {
    marks = try_marks() ? 1 : -1;
    atomic_store_explicit(&guard_marks, marks, memory_order_relaxed);
  }
  return marks > 0;
}

INTERNAL bool os_guard_is_free_of_mappings(void)
{
  return has_marks() && !atomic_load_explicit(&has_inaccessible_guards, memory_order_relaxed);
}

// A fresh mapping becomes one with those beside it that are inaccessible, which one that has held
// memory never does; nor is it locked. Else forbids first, so that nobody writes in between.
static bool make_inaccessible(void *start, size_t bytes)
{
  atomic_store_explicit(&has_inaccessible_guards, true, memory_order_relaxed);
  if (calls_map(start, bytes, PROT_NONE, MAP_FIXED) != NULL) return true;
  return os_memory_forbid(start, bytes) && calls_advise(start, bytes, MADV_DONTNEED);
}

INTERNAL bool os_guard_remove(void *start, size_t bytes)
{
  if (has_marks() && !calls_advise(start, bytes, MADV_GUARD_REMOVE)) return false;
  return !atomic_load_explicit(&has_inaccessible_guards, memory_order_relaxed) ||
         os_memory_permit(start, bytes);
}

INTERNAL bool os_guard_install(void *start, size_t bytes)
{
  bool is_marked = has_marks() && calls_advise(start, bytes, MADV_GUARD_INSTALL);
  if (is_marked || make_inaccessible(start, bytes)) return true;
  (void)os_guard_remove(start, bytes);
  return false;
}
