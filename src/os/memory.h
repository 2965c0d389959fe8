// SPDX-License-Identifier: MIT
//
// Everything we ask of the kernel about address space.
//
// For every call: addresses are os-page aligned, bytes > 0 and a multiple of the os page. bool
// means "it worked"; what it fails for is lack of memory, address space or mappings, and with
// os_range_commit also somebody else's mapping in the way. errno is not preserved: the api layer
// does that where it is promised.
#ifndef OS_MEMORY_H
#define OS_MEMORY_H

#include "base/internal.h"

// A stretch of address space for us to commit part by part.
//
// Normally it is not reserved: it is a hole where neither the kernel nor programs put anything, and
// committing claims it piece by piece, failing where somebody else has come first after all. So a
// process shows no terabytes that it does not use, and limits of its address space (RLIMIT_AS), set
// before or later, mean what they say. Only the first os page is ours from the start, so that no
// other copy of this library in the process takes the same hole. Where there is no hole, or by
// option, the range is reserved.
struct os_range {
  char *start;
  size_t bytes;
  bool is_reserved;
  bool is_undumped;  // what is committed from now on is left out of core files, if the kernel can
  // The commit that was begun last, for os_range_settle; unless it has failed.
  _Atomic(size_t) begun_at;  // from the start
  _Atomic(size_t) begun_bytes;
};

// The size of the kernel's page, at any time.
INTERNAL size_t os_kernel_page_bytes(void);
// The same, read once at the start, or what is pretended.
INTERNAL size_t os_page_bytes(void);
// Reads that, or pretends pretended_page_bytes (0: does not); wants_reserve: ranges are reserved.
// Once, before the others, which several threads may call for different addresses.
INTERNAL void os_memory_init(size_t pretended_page_bytes, bool wants_reserve);

// From now on ranges lie at random places of the whole address space, each by itself (but not under
// checkers, which have tables in it): an address of one tells nothing of another. Before the first.
INTERNAL void os_range_scatter(void);
// Finds a range of `bytes`, or of less, halving down to `least`. Its start is aligned to
// `alignment`, a power of two.
INTERNAL bool os_range_find(struct os_range *range, size_t bytes, size_t least, size_t alignment);
// Makes a part of the range readable and writable; it reads as zero. Part by part, upwards.
INTERNAL bool os_range_commit(struct os_range *range, void *start, size_t bytes);
// Takes back what was committed last.
INTERNAL void os_range_take_back(struct os_range *range, void *start, size_t bytes);
// Where a part that could not be committed can be had instead: `from` itself if nobody is in the
// way there (it is memory that lacks), or a multiple of `step` further up, right behind somebody's
// mapping; SIZE_MAX if nothing is found. Counts in bytes from the range's start, in which the part
// must lie.
INTERNAL size_t os_range_find_vacant(const struct os_range *range, size_t from, size_t bytes,
                                     size_t step);
// For the child of a fork, before anything else is mapped there: takes back what another thread was
// about to commit beyond the first `known_bytes`.
INTERNAL void os_range_settle(struct os_range *range, size_t known_bytes);

// Gives the memory back if that can be done; in any case the addresses stay usable and read as
// zero.
INTERNAL void os_memory_purge(void *start, size_t bytes);
// The same, by a fresh mapping: heals what os_memory_move and os_memory_advise_huge have split.
INTERNAL bool os_memory_renew(void *start, size_t bytes);
// How much of a committed range holds memory, by a sample of its os pages; all of it if the kernel
// does not tell.
INTERNAL size_t os_memory_resident_bytes(const char *start, size_t bytes);
// Counts memory as purged that went by that.
INTERNAL void os_memory_count_purged(size_t bytes);
// Moves the pages at `from` over those at `to` (both ours and committed; `to` reads as zero).
enum os_moved {
  OS_MOVED,   // `from` reads as zero
  OS_COPIED,  // the kernel could not do it all: the contents are at `to`, those at `from` undefined
  OS_REFUSED,  // nor could they be copied: they are at `from`, and parts of `to` are not mapped
};
INTERNAL enum os_moved os_memory_move(void *from, void *to, size_t bytes);
// Takes and gives the right to read and write this memory; false changes nothing.
INTERNAL bool os_memory_forbid(void *start, size_t bytes);
INTERNAL bool os_memory_permit(void *start, size_t bytes);
// Lets it be read and no longer written. False: the kernel refuses.
INTERNAL bool os_memory_seal(void *start, size_t bytes);
// Lets the kernel back this memory with huge pages.
INTERNAL bool os_memory_advise_huge(void *start, size_t bytes);
// How many system calls the functions above have made, and how many bytes have been purged.
INTERNAL size_t os_memory_call_count(void);
INTERNAL size_t os_memory_purged_bytes(void);
// The same for those who read it from outside.
struct os_memory_counts {
  _Atomic(size_t) calls;
  _Atomic(size_t) purged_bytes;
};
INTERNAL_DATA struct os_memory_counts os_memory_counts;

#endif
