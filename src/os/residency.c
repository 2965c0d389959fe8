// SPDX-License-Identifier: MIT
#include "os/residency.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/direct.h"
#include "os/memory.h"

// The kernel's interface, which is newer than most headers.
#define SCAN_PRESENT ((uint64_t)1 << 3)
#define SCAN_ZERO_PAGE ((uint64_t)1 << 5)

struct scan_region {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};

struct scan {
  uint64_t bytes;  // of this
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;  // how far it has come
  uint64_t regions;   // their address
  uint64_t region_count;
  uint64_t most_pages;
  uint64_t inverted;
  uint64_t all_of;
  uint64_t any_of;
  uint64_t told;
};

#define SCAN_REQUEST _IOWR('f', 16, struct scan)

INTERNAL void os_residency_begin(struct os_residency *residency)
{
  int saved_errno = errno;
  residency->file = os_direct_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  residency->is_guessed = false;
  residency->page_bytes = os_kernel_page_bytes();
  os_residency_limit(residency, 0);
  errno = saved_errno;
}

INTERNAL void os_residency_end(struct os_residency *residency)
{
  int saved_errno = errno;
  if (residency->file >= 0) os_direct_close(residency->file);
  residency->file = -1;
  errno = saved_errno;
}

INTERNAL void os_residency_limit(struct os_residency *residency, uintptr_t limit)
{
  residency->start = residency->end = 0;
  residency->limit = limit;
}

static void mark_resident(struct os_residency *residency, uintptr_t from, uintptr_t to)
{
  for (uintptr_t at = from; at < to; at += residency->page_bytes) {
    size_t page = (at - residency->start) / residency->page_bytes;
    residency->resident[page / 64] |= UINT64_C(1) << page % 64;
  }
}

// By the scan, which gives stretches; false if there is none.
static bool scan_window(struct os_residency *residency)
{
  struct scan_region regions[16];
  struct scan scan = {.bytes = sizeof scan,
                      .start = residency->start,
                      .end = residency->end,
                      .regions = (uintptr_t)regions,
                      .region_count = sizeof regions / sizeof regions[0],
                      .inverted = SCAN_ZERO_PAGE,
                      .all_of = SCAN_PRESENT | SCAN_ZERO_PAGE,
                      .told = SCAN_PRESENT};
  while (scan.start < scan.end) {
    memset(regions, 0, sizeof regions);  // MemorySanitizer does not see what the kernel writes
    // (C libraries differ in how wide their ioctl's request is.)
    long count = syscall(SYS_ioctl, residency->file, SCAN_REQUEST, &scan);
    if (count < 0) return false;
    for (long i = 0; i < count; i++) mark_resident(residency, regions[i].start, regions[i].end);
    if (scan.walk_end <= scan.start) return false;
    scan.start = scan.walk_end;
  }
  return true;
}

// Page by page; false also if not all of the window is mapped.
static bool ask_window(struct os_residency *residency)
{
  unsigned char states[OS_RESIDENCY_PAGES] = {0};
  size_t bytes = residency->end - residency->start;
  if (mincore((void *)residency->start, bytes, states) != 0) return false;
  for (size_t i = 0; i < bytes / residency->page_bytes; i++) {
    if ((states[i] & 1) != 0) residency->resident[i / 64] |= UINT64_C(1) << i % 64;
  }
  return true;
}

static bool read_window(struct os_residency *residency, uintptr_t start, uintptr_t end)
{
  uintptr_t most = start + OS_RESIDENCY_PAGES * residency->page_bytes;
  residency->start = start;
  residency->end = bits_smaller(end, most);
  memset(residency->resident, 0, sizeof residency->resident);
  if (residency->file >= 0) {
    if (scan_window(residency)) return true;
    os_direct_close(residency->file);
    residency->file = -1;
    memset(residency->resident, 0, sizeof residency->resident);
  }
  return ask_window(residency);
}

// A window from the address on: as long as may be, or to the end of what is asked for, which is
// mapped for certain.
static void slide(struct os_residency *residency, uintptr_t from, uintptr_t to)
{
  int saved_errno = errno;
  uintptr_t start = bits_align_down(from, residency->page_bytes);
  uintptr_t end = bits_align_up(to, residency->page_bytes);
  uintptr_t limit = bits_align_up(residency->limit, residency->page_bytes);
  bool is_read = limit > end && read_window(residency, start, limit);
  if (!is_read && !read_window(residency, start, end)) {
    residency->is_guessed = true;
    memset(residency->resident, 0xff, sizeof residency->resident);
  }
  errno = saved_errno;
}

// How much of a stretch that lies within the window is resident.
static size_t count_within(const struct os_residency *residency, uintptr_t from, uintptr_t to)
{
  size_t bytes = 0;
  while (from < to) {
    size_t page = (from - residency->start) / residency->page_bytes;
    uintptr_t page_end = residency->start + (page + 1) * residency->page_bytes;
    uintptr_t end = bits_smaller(page_end, to);
    if ((residency->resident[page / 64] >> page % 64 & 1) != 0) bytes += end - from;
    from = end;
  }
  return bytes;
}

INTERNAL size_t os_residency_bytes(struct os_residency *residency, uintptr_t from, uintptr_t to)
{
  size_t bytes = 0;
  while (from < to) {
    if (from < residency->start || from >= residency->end) slide(residency, from, to);
    uintptr_t end = bits_smaller(residency->end, to);
    bytes += count_within(residency, from, end);
    from = end;
  }
  return bytes;
}
