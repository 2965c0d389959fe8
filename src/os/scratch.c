// SPDX-License-Identifier: MIT
#include "os/scratch.h"

#include <sys/mman.h>

#include "base/bits.h"

#define SCRATCH_MOST ((size_t)1 << 40)
#define SCRATCH_LEAST ((size_t)1 << 20)
#define SCRATCH_STEP ((size_t)1 << 20)
#define SCRATCH_ALIGNMENT ((size_t)64)

INTERNAL bool os_scratch_begin(struct os_scratch *scratch)
{
  *scratch = (struct os_scratch){0};
  for (size_t bytes = SCRATCH_MOST; bytes >= SCRATCH_LEAST; bytes /= 2) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *start = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    if (start == MAP_FAILED) continue;
    scratch->start = start;
    scratch->bytes = bytes;
    return true;
  }
  return false;
}

INTERNAL void *os_scratch_take(struct os_scratch *scratch, size_t bytes)
{
  size_t from = scratch->used;
  if (bytes > scratch->bytes - from) return NULL;
  size_t end = bits_align_up(from + bytes, SCRATCH_ALIGNMENT);
  if (end > scratch->bytes) return NULL;
  if (end > scratch->committed) {
    size_t committed = bits_smaller(bits_align_up(end, SCRATCH_STEP), scratch->bytes);
    size_t more = committed - scratch->committed;
    if (mprotect(scratch->start + scratch->committed, more, PROT_READ | PROT_WRITE) != 0) {
      return NULL;
    }
    scratch->committed = committed;
  }
  scratch->used = end;
  return scratch->start + from;
}

INTERNAL void *os_scratch_take_array(struct os_scratch *scratch, size_t count, size_t bytes)
{
  size_t all;
  return bits_multiply(count, bytes, &all) ? os_scratch_take(scratch, all) : NULL;
}

INTERNAL void os_scratch_end(struct os_scratch *scratch)
{
  if (scratch->start != NULL) munmap(scratch->start, scratch->bytes);
  *scratch = (struct os_scratch){0};
}
