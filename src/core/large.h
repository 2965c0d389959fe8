// SPDX-License-Identifier: MIT
//
// Blocks above the largest size class, or aligned to more than a slice: a run of slices each. Only
// the os pages that the size needs are ever touched, so a block's cost in memory is its size
// rounded up to the os page.
//
// A block grows where it is if the slices behind it are free. Else it moves to a longer run: if
// that is clean, the kernel moves the pages (mremap), which copies page-table entries instead of
// bytes.
//
// A block can be bound to a NUMA node. Then so is all of its run, which was mapped anew before, so
// that no page of it can lie elsewhere. It never grows into other slices, but moves to a run that
// is bound as well; the kernel takes the binding along with the pages.
#ifndef CORE_LARGE_H
#define CORE_LARGE_H

#include "core/heap.h"
#include "os/node.h"

// A block aligned to `alignment` (a power of two; at least a slice in any case). `heap` is the
// first-class heap that it is to end with, or NULL. *is_zero (may be NULL) tells whether it reads
// as zero. NULL if there is no memory.
INTERNAL void *large_allocate(struct heap *heap, size_t size, size_t alignment, bool *is_zero);
// The same, but not one of any heap yet: from where that heap's come from.
INTERNAL struct page *large_take(struct heap *heap, size_t size, size_t alignment, bool *is_zero);
// Binds one that was just taken to a NUMA node, whereupon it reads as zero. If that does not work,
// it is to be freed.
INTERNAL enum os_bound large_bind(struct page *page, size_t size, int node);
// Makes it one of the heap's. Inside.
INTERNAL void large_attach(struct page *page, struct heap *heap);
// Frees it. False if somebody else has freed it before. An object's goes back to the region when
// next somebody can go inside its heap, which is now unless somebody stays there.
INTERNAL bool large_free(struct page *page);
// Gives back what could not be given back then. Inside.
INTERNAL void large_collect(struct heap *heap);
// Makes it hold `size` bytes where it is; gives memory back if that is much less than before.
INTERNAL bool large_resize(struct page *page, size_t size);
// Moves it with its contents to a place where it can hold `size` bytes. NULL, and nothing done, if
// it is too small to be worth more than a plain copy, or there is no memory.
INTERNAL void *large_move(struct page *page, size_t size);
// Its address: the start of its run, or behind the guard that is there (hardened).
INTERNAL void *large_block(const struct page *page);
// Gives back the runs of freed blocks that are kept from use (hardened).
INTERNAL void large_let_go(void);
// The large block in whose middle an address lies, or NULL. It searches backwards, one descriptor a
// slice.
INTERNAL struct page *large_around(struct page *slice);
// Frees every large block of a first-class heap. Inside it.
INTERNAL void large_free_all(struct heap *heap);

#endif
