// SPDX-License-Identifier: MIT
#include "os/written.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/direct.h"
#include "os/memory.h"

#define WRITTEN_PRESENT (UINT64_C(1) << 63)
#define WRITTEN_SWAPPED (UINT64_C(1) << 62)
#define WRITTEN_OF_FILE (UINT64_C(1) << 61)

enum { PAGES_AT_A_TIME = 512 };

static bool read_entries(struct os_written *written, uintptr_t start, size_t count)
{
  size_t bytes = count * sizeof(uint64_t);
  off_t at = (off_t)(start / os_kernel_page_bytes() * sizeof(uint64_t));
  return os_direct_read_at(written->file, written->entries, bytes, at) == (ssize_t)bytes;
}

// A page of our own stack has been written: who denies that (an emulator whose addresses are others
// than the kernel's) is not to be believed.
INTERNAL void os_written_open(struct os_written *written)
{
  volatile uint64_t witness = 1;
  written->file = os_direct_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  if (written->file < 0) return;
  if (read_entries(written, (uintptr_t)&witness, 1) &&
      (written->entries[0] & WRITTEN_PRESENT) != 0 &&
      (written->entries[0] & WRITTEN_OF_FILE) == 0) {
    return;
  }
  os_written_close(written);
}

INTERNAL void os_written_close(struct os_written *written)
{
  if (written->file >= 0) os_direct_close(written->file);
  written->file = -1;
}

static bool has_been_written(uint64_t entry)
{
  return (entry & WRITTEN_SWAPPED) != 0 ||
         (entry & (WRITTEN_PRESENT | WRITTEN_OF_FILE)) == WRITTEN_PRESENT;
}

// Fills in which of these pages hold something: not 0 if they do. False if nobody tells.
static bool look_at_pages(struct os_written *written, uintptr_t start, size_t count, bool is_shared)
{
  if (is_shared) {
    return mincore((void *)start, count * os_kernel_page_bytes(), written->residence) == 0;
  }
  if (written->file < 0 || !read_entries(written, start, count)) return false;
  for (size_t i = 0; i < count; i++) {
    // In place: what is written has been read.
    bool is_written = has_been_written(written->entries[i]);
    written->residence[i] = is_written;
  }
  return true;
}

INTERNAL void os_written_each(struct os_written *written, uintptr_t start, uintptr_t end,
                              bool is_shared, os_written_visitor visit, void *argument)
{
  size_t page = os_kernel_page_bytes();
  uintptr_t run = 0;  // where the current run begins; 0: there is none
  for (uintptr_t at = start; at < end; at += PAGES_AT_A_TIME * page) {
    size_t count = bits_smaller((end - at) / page, PAGES_AT_A_TIME);
    bool is_known = look_at_pages(written, at, count, is_shared);
    for (size_t i = 0; i < count; i++) {
      bool holds = !is_known || written->residence[i] % 2 != 0;
      if (holds && run == 0) run = at + i * page;
      if (!holds && run != 0) visit(run, at + i * page, argument);
      if (!holds) run = 0;
    }
  }
  if (run != 0) visit(run, end, argument);
}
