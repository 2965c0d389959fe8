// SPDX-License-Identifier: MIT
//
// Which os pages of ours hold memory: what the kernel counts for the process as resident. It is
// asked for a window of pages at a time, which slides upwards with the questions, so that a walk
// through gigabytes takes a system call for every few MiB.
//
// Linux 6.7 tells all of it (PAGEMAP_SCAN). Older kernels, and filters of system calls, leave
// mincore, which takes pages that were only ever read for resident; and where that is refused, too,
// everything counts.
#ifndef OS_RESIDENCY_H
#define OS_RESIDENCY_H

#include "base/internal.h"

enum { OS_RESIDENCY_PAGES = 1024 };  // of the kernel, in a window

struct os_residency {
  int file;           // /proc/self/pagemap, or -1
  bool is_guessed;    // for some memory the kernel has not told
  size_t page_bytes;  // of the kernel
  uintptr_t start;    // of the window
  uintptr_t end;
  uintptr_t limit;  // how far windows may reach
  uint64_t resident[OS_RESIDENCY_PAGES / 64];
};

// Nothing is known yet. Ends with os_residency_end, which errno survives, too.
INTERNAL void os_residency_begin(struct os_residency *residency);
INTERNAL void os_residency_end(struct os_residency *residency);
// From here on, for a stretch of memory: nothing that was read before is true any more, and windows
// end with it.
INTERNAL void os_residency_limit(struct os_residency *residency, uintptr_t limit);
// How many bytes from one address to another are resident; all of that must be mapped.
INTERNAL size_t os_residency_bytes(struct os_residency *residency, uintptr_t from, uintptr_t to);

#endif
