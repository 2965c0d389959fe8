// SPDX-License-Identifier: MIT
//
// Linux. Committing maps or unprotects in large adjoining steps, so the kernel keeps one mapping
// for all that is committed of a range. What is reserved is PROT_NONE, which costs no memory and no
// commit charge, and is left alone by mlockall.
#include "os/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/bits.h"
#include "os/calls.h"
#include "os/placement.h"
#include "os/system.h"

// Constants of the kernel's interface that older headers lack.
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static size_t page_bytes = 4096;
INTERNAL struct os_memory_counts os_memory_counts;

INTERNAL size_t os_memory_purged_bytes(void)
{
  return atomic_load_explicit(&os_memory_counts.purged_bytes, memory_order_relaxed);
}

INTERNAL size_t os_memory_call_count(void)
{
  return atomic_load_explicit(&os_memory_counts.calls, memory_order_relaxed);
}

INTERNAL size_t os_kernel_page_bytes(void)
{
  return (size_t)sysconf(_SC_PAGESIZE);
}

INTERNAL size_t os_page_bytes(void)
{
  return page_bytes;
}

// Checkers lay their own tables where our holes are.
#if HAS_ADDRESS_SANITIZER || HAS_THREAD_SANITIZER || HAS_MEMORY_SANITIZER || \
    defined(MEND_ANNOTATE_VALGRIND)
#define MUST_RESERVE 1
#else
#define MUST_RESERVE 0
#endif

// What checkers can follow: they keep books on every byte that is reserved.
#define CHECKED_RANGE_BYTES ((size_t)64 << 30)

static bool reserves = MUST_RESERVE;

INTERNAL void os_memory_init(size_t pretended_page_bytes, bool wants_reserve)
{
  if (wants_reserve) reserves = true;
  size_t real = os_kernel_page_bytes();
  bool is_usable = bits_is_power_of_two(pretended_page_bytes) && pretended_page_bytes >= real;
  page_bytes = is_usable ? pretended_page_bytes : real;
}

// Reserves more than asked and cuts both ends to the alignment.
static char *reserve_aligned(size_t bytes, size_t alignment)
{
  char *start = calls_map(NULL, bytes + alignment, PROT_NONE, 0);
  if (start == NULL) return NULL;
  char *aligned = (char *)bits_align_up((uintptr_t)start, alignment);
  calls_unmap(start, (size_t)(aligned - start));
  calls_unmap(aligned + bytes, alignment - (size_t)(aligned - start));
  return aligned;
}

// Maps where nothing is mapped yet. errno is EEXIST if something is.
static bool map_vacant(char *start, size_t bytes, int protection)
{
  void *mapped = calls_map(start, bytes, protection, MAP_FIXED_NOREPLACE);
  if (mapped == start) return true;
  if (mapped == NULL) return false;
  calls_unmap(mapped, bytes);  // a kernel before 4.17 takes the address as a hint
  errno = EEXIST;
  return false;
}

// Whether something is mapped anywhere in a place, as far as the kernel tells. A mapping that is
// neither private nor shared it refuses, but only when it has looked whether something is in the
// way. So nothing is mapped, not even for a moment, and no limit of address space matters.
static bool is_taken(char *start, size_t bytes)
{
  calls_count();
  void *mapped = mmap(start, bytes, PROT_NONE, MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  return mapped == MAP_FAILED && errno == EEXIST;
}

// Claims a place by its first page.
static bool claim_hole(char *start, size_t bytes)
{
  return !is_taken(start, bytes) && map_vacant(start, page_bytes, PROT_NONE);
}

// More than the ranges of one copy of this library take by default.
#define HOLE_STRIDE ((size_t)5 << 40)
#define HOLE_ATTEMPTS 8

// A place for a range that is not reserved. The kernel maps downwards from the top of the address
// space and keeps programs near two thirds of it, or upwards from one third; some runtimes claim
// fixed places in the lowest eighth. In between there is nothing, but for other copies of this
// library. Ranges are laid side by side.
static char *find_hole(size_t bytes, size_t alignment)
{
  static _Atomic(uintptr_t) next_hole;
  for (unsigned i = 0; i < HOLE_ATTEMPTS; i++) {
    uintptr_t next = atomic_load_explicit(&next_hole, memory_order_relaxed);
    uintptr_t start;
    do {
      start = next;
      if (next == 0) {
        void *probe = calls_map(NULL, page_bytes, PROT_NONE, 0);
        if (probe == NULL) return NULL;
        start = (uintptr_t)probe / 16 * 5;
        calls_unmap(probe, page_bytes);
      }
      start = bits_align_up(start, alignment);
    } while (!atomic_compare_exchange_weak(&next_hole, &next, start + bytes));
    if (claim_hole((char *)start, bytes)) return (char *)start;
    atomic_fetch_add_explicit(&next_hole, HOLE_STRIDE - bytes, memory_order_relaxed);
  }
  return NULL;
}

static bool reserve(struct os_range *range, size_t bytes, size_t least, size_t alignment)
{
  if (MUST_RESERVE && bytes > CHECKED_RANGE_BYTES) bytes = bits_larger(CHECKED_RANGE_BYTES, least);
  for (; bytes >= least; bytes /= 2) {
    char *start = reserve_aligned(bytes, alignment);
    if (start == NULL) continue;
    *range = (struct os_range){.start = start, .bytes = bytes, .is_reserved = true};
    return true;
  }
  return false;
}

static bool is_scattered;

INTERNAL void os_range_scatter(void)
{
  is_scattered = !MUST_RESERVE;
}

// NULL if no place can be had, for more than that somebody is there already.
static char *find_place(struct rng *rng, size_t space, size_t bytes, size_t alignment)
{
  for (unsigned i = 0; i < HOLE_ATTEMPTS; i++) {
    char *start = (char *)placement_pick(rng, space, bytes, alignment);
    if (start == NULL) return NULL;
    if (placement_is_noted(start, bytes)) continue;
    if (reserves ? map_vacant(start, bytes, PROT_NONE) : claim_hole(start, bytes)) return start;
    if (errno != EEXIST) return NULL;
  }
  return NULL;
}

static bool scatter(struct os_range *range, size_t bytes, size_t least, size_t alignment)
{
  struct rng rng;
  void *given = calls_map(NULL, page_bytes, PROT_NONE, 0);
  if (given == NULL) return false;
  calls_unmap(given, page_bytes);
  os_seed(&rng);
  for (; bytes >= least; bytes /= 2) {
    char *start = find_place(&rng, placement_space((uintptr_t)given), bytes, alignment);
    if (start == NULL) continue;
    placement_note(start, bytes);
    *range = (struct os_range){.start = start, .bytes = bytes, .is_reserved = reserves};
    return true;
  }
  return false;
}

INTERNAL bool os_range_find(struct os_range *range, size_t bytes, size_t least, size_t alignment)
{
  if (is_scattered && scatter(range, bytes, least, alignment)) return true;
  if (reserves) return reserve(range, bytes, least, alignment);
  char *start = find_hole(bytes, alignment);
  if (start == NULL) return reserve(range, bytes, least, alignment);
  *range = (struct os_range){.start = start, .bytes = bytes};
  return true;
}

// How much at the start of a part is the page by which the range was claimed.
static size_t claimed_bytes(const struct os_range *range, const char *start)
{
  return start == range->start ? page_bytes : 0;
}

// The fences are for a fork, which may copy the range before and after any store.
static void begin_commit(struct os_range *range, const char *start, size_t bytes)
{
  atomic_store_explicit(&range->begun_bytes, 0, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
  atomic_store_explicit(&range->begun_at, (size_t)(start - range->start), memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
  atomic_store_explicit(&range->begun_bytes, bytes, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
}

static void forget_commit(struct os_range *range)
{
  atomic_signal_fence(memory_order_seq_cst);
  atomic_store_explicit(&range->begun_bytes, 0, memory_order_relaxed);
}

static bool commit_range(struct os_range *range, void *start, size_t bytes)
{
  if (range->is_reserved) return os_memory_permit(start, bytes);
  size_t claimed = claimed_bytes(range, start);
  char *rest = (char *)start + claimed;
  begin_commit(range, rest, bytes - claimed);
  if (bytes > claimed && !map_vacant(rest, bytes - claimed, PROT_READ | PROT_WRITE)) {
    forget_commit(range);
    return false;
  }
  if (claimed == 0 || os_memory_renew(start, claimed)) return true;
  os_range_take_back(range, start, bytes);
  return false;
}

INTERNAL bool os_range_commit(struct os_range *range, void *start, size_t bytes)
{
  if (!commit_range(range, start, bytes)) return false;
  if (range->is_undumped) {
    (void)calls_advise(start, bytes, MADV_DONTDUMP);
  }
  return true;
}

INTERNAL void os_range_take_back(struct os_range *range, void *start, size_t bytes)
{
  if (range->is_reserved) {
    (void)calls_map(start, bytes, PROT_NONE,
                    MAP_FIXED);  // if it is refused, all of it stays as it is
    return;
  }
  size_t claimed = claimed_bytes(range, start);
  calls_unmap((char *)start + claimed, bytes - claimed);
  forget_commit(range);
}

// Whether somebody else's mapping lies in a part of the range. (Not by is_taken, to which an old
// kernel has no answer: a part is small enough to be mapped for it, within any limit.)
static bool is_occupied(const struct os_range *range, size_t at, size_t bytes)
{
  char *start = range->start + at;
  size_t claimed = claimed_bytes(range, start);
  if (bytes == claimed) return false;
  if (!map_vacant(start + claimed, bytes - claimed, PROT_NONE)) return errno == EEXIST;
  calls_unmap(start + claimed, bytes - claimed);
  return false;
}

INTERNAL size_t os_range_find_vacant(const struct os_range *range, size_t from, size_t bytes,
                                     size_t step)
{
  size_t last = range->bytes - bytes;
  size_t occupied = from;
  size_t vacant = from;
  if (range->is_reserved) return from;
  // In steps that double until it is passed; then back to its end.
  for (size_t leap = step; is_occupied(range, vacant, bytes); leap *= 2) {
    if (last - vacant < step) return SIZE_MAX;
    occupied = vacant;
    vacant += bits_smaller(leap, bits_align_down(last - vacant, step));
  }
  while (vacant - occupied > step) {
    size_t middle = occupied + bits_align_down((vacant - occupied) / 2, step);
    if (is_occupied(range, middle, bytes)) {
      occupied = middle;
    } else {
      vacant = middle;
    }
  }
  return vacant;
}

// Zeroes memory that nobody has: a checker would not let memset.
ANNOTATE_MAY_TOUCH_FREED
static void overwrite(void *start, size_t bytes)
{
  volatile size_t *words = start;
  annotate_touch_begin(start, bytes);
  for (size_t i = 0; i < bytes / sizeof *words; i++) words[i] = 0;
  annotate_touch_end(start, bytes);
}

INTERNAL bool os_memory_renew(void *start, size_t bytes)
{
  return calls_map(start, bytes, PROT_READ | PROT_WRITE, MAP_FIXED) != NULL;
}

INTERNAL void os_memory_count_purged(size_t bytes)
{
  atomic_fetch_add_explicit(&os_memory_counts.purged_bytes, bytes, memory_order_relaxed);
}

INTERNAL void os_memory_purge(void *start, size_t bytes)
{
  os_memory_count_purged(bytes);
  // DONTNEED fails only for memory that is locked; the second is there since Linux 5.18.
  if (calls_advise(start, bytes, MADV_DONTNEED)) return;
  if (calls_advise(start, bytes, MADV_DONTNEED_LOCKED)) return;
  if (!os_memory_renew(start, bytes)) overwrite(start, bytes);
}

INTERNAL size_t os_memory_resident_bytes(const char *start, size_t bytes)
{
  enum { SAMPLES = 64 };
  size_t step = bits_larger(bits_align_down(bytes / SAMPLES, page_bytes), page_bytes);
  size_t looked = 0;
  size_t resident = 0;
  for (size_t at = 0; at < bytes; at += step, looked++) {
    unsigned char state;
    calls_count();
    if (mincore((void *)(uintptr_t)(start + at), 1, &state) != 0) return bytes;
    resident += state & 1;
  }
  return looked > 0 ? bytes / looked * resident : 0;
}

static bool is_mapped(const char *page)
{
  unsigned char unused;
  calls_count();
  return mincore((void *)(uintptr_t)page, 1, &unused) == 0;
}

// The kernel maps all of what was begun or nothing. If one end of it is not mapped it has mapped
// nothing, because it has not come to it, or because somebody is in the way.
INTERNAL void os_range_settle(struct os_range *range, size_t known_bytes)
{
  size_t at = atomic_load_explicit(&range->begun_at, memory_order_relaxed);
  size_t bytes = atomic_load_explicit(&range->begun_bytes, memory_order_relaxed);
  char *start = range->start + at;
  forget_commit(range);
  if (bytes == 0 || at + bytes <= known_bytes) return;
  if (is_mapped(start) && is_mapped(start + bytes - page_bytes)) calls_unmap(start, bytes);
}

static bool holds_nothing(const char *page)
{
  return page[0] == 0 && memcmp(page, page + 1, page_bytes - 1) == 0;
}

// A move has failed, perhaps half way: the kernel moves the mappings that the source consists of
// one by one, each over what is mapped at its target. A page that has not arrived is where it was,
// and its target, which was clean, is unmapped or zero.
static bool copy_what_stayed(char *from, char *to, size_t bytes)
{
  for (size_t at = 0; at < bytes; at += page_bytes) {
    if (!is_mapped(to + at)) {
      if (!os_memory_renew(to + at, page_bytes)) return false;
    } else if (!holds_nothing(to + at)) {
      continue;
    }
    memcpy(to + at, from + at, page_bytes);
  }
  return true;
}

// Brings back what has arrived, or has been copied. (What was moved is mapped at its source still.)
static void copy_back(char *from, char *to, size_t bytes)
{
  for (size_t at = 0; at < bytes; at += page_bytes) {
    if (is_mapped(to + at) && !holds_nothing(to + at)) memcpy(from + at, to + at, page_bytes);
  }
}

INTERNAL enum os_moved os_memory_move(void *from, void *to, size_t bytes)
{
  calls_count();
  int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
  if (mremap(from, bytes, bytes, flags, to) != MAP_FAILED) return OS_MOVED;
  if (copy_what_stayed(from, to, bytes)) return OS_COPIED;
  // The kernel unmaps the target before it finds that a limit, lowered below what is in use,
  // forbids the move, as it then forbids mapping the target again.
  copy_back(from, to, bytes);
  return OS_REFUSED;
}

INTERNAL bool os_memory_seal(void *start, size_t bytes)
{
  calls_count();
  return mprotect(start, bytes, PROT_READ) == 0;
}

INTERNAL bool os_memory_forbid(void *start, size_t bytes)
{
  calls_count();
  return mprotect(start, bytes, PROT_NONE) == 0;
}

INTERNAL bool os_memory_permit(void *start, size_t bytes)
{
  calls_count();
  return mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
}

INTERNAL bool os_memory_advise_huge(void *start, size_t bytes)
{
  return calls_advise(start, bytes, MADV_HUGEPAGE);
}
