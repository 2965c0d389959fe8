// SPDX-License-Identifier: MIT
//
// The plain fast paths: the bin of a class, or the shelf.
#ifndef API_FRONT_PLAIN_H
#define API_FRONT_PLAIN_H

#include <errno.h>
#include <string.h>

#include "api/allocate.h"
#include "api/exact.h"
#include "api/extent.h"
#include "api/tracking.h"

static NOINLINE void *front_allocate_otherwise(size_t size, enum block_kind kind,
                                               enum sampling_mode mode)
{
  bool is_small = EXTENT_IS_PLAIN && size <= SIZE_CLASS_SMALL_BYTES;
  bool is_medium = EXTENT_IS_PLAIN && !is_small && size <= SIZE_CLASS_MAX_BYTES;
  void *block = NULL;
  if (is_medium && LIKELY(mode == SAMPLING_OFF)) {
    block = heap_take_medium(heap_current, size_class_of(size));
  } else if (is_small && mode == SAMPLING_SAMPLED) {
    block = heap_turn_over(heap_current, size_class_of(size));
  }
  return LIKELY(block != NULL) ? block : allocate_as(kind, size, NATURAL_ALIGNMENT);
}

// What the bins do not serve.
static NOINLINE void *front_allocate_slowly(size_t size, enum block_kind kind)
{
  enum sampling_mode mode = sampling_mode();
  if (EXTENT_IS_PLAIN && mode == SAMPLING_EXACT) return exact_allocate(size, kind);
  return front_allocate_otherwise(size, kind, mode);
}

// A block of natural alignment from the thread's own heap; NULL and ENOMEM on failure.
static inline void *front_allocate(size_t size, enum block_kind kind)
{
  if (LIKELY(EXTENT_IS_PLAIN && size <= SIZE_CLASS_SMALL_BYTES)) {
    struct block *block = heap_take_small(heap_current, size);
    if (LIKELY(block != NULL)) return block;
  }
  return front_allocate_slowly(size, kind);
}

// Zeroes a plain small block, which holds a multiple of 16 bytes; short ones without a call.
static inline void *front_clear(struct block *block, size_t size)
{
  char *bytes = (char *)block;
  if (size > 4 * NATURAL_ALIGNMENT) return memset(block, 0, size);
  memset(bytes, 0, NATURAL_ALIGNMENT);
  if (size > NATURAL_ALIGNMENT) memset(bytes + NATURAL_ALIGNMENT, 0, NATURAL_ALIGNMENT);
  if (size > 2 * NATURAL_ALIGNMENT) memset(bytes + 2 * NATURAL_ALIGNMENT, 0, NATURAL_ALIGNMENT);
  if (size > 3 * NATURAL_ALIGNMENT) memset(bytes + 3 * NATURAL_ALIGNMENT, 0, NATURAL_ALIGNMENT);
  return block;
}

static NOINLINE void *front_allocate_zeroed_slowly(size_t size)
{
  bool is_small = EXTENT_IS_PLAIN && size <= SIZE_CLASS_SMALL_BYTES;
  if (!is_small || sampling_mode() != SAMPLING_EXACT) {
    return allocate(NULL, size, NATURAL_ALIGNMENT, true);
  }
  struct block *block = exact_allocate(size, KIND_MALLOC);
  return LIKELY(block != NULL) ? front_clear(block, size) : NULL;
}

// The same as front_allocate, and it reads as zero.
static inline void *front_allocate_zeroed(size_t size)
{
  if (LIKELY(EXTENT_IS_PLAIN && size <= SIZE_CLASS_SMALL_BYTES)) {
    struct block *block = heap_take_small(heap_current, size);
    if (LIKELY(block != NULL)) return front_clear(block, size);
  }
  return front_allocate_zeroed_slowly(size);
}

static NOINLINE void front_free_otherwise(struct page *slice, void *block,
                                          const struct block_claim *claim)
{
  struct heap *heap = heap_current;
  heap_refused(heap, slice);
  if (page_bin_offset(slice) == 0 || heap == &heap_empty) {
    allocate_free(block, claim);
    return;
  }
  int saved_errno = errno;
  heap_put(heap, slice, block);
  allocate_count_slow_call();
  errno = saved_errno;
}

// What the bins have no room for.
static NOINLINE void front_free_refused(struct page *slice, void *block,
                                        const struct block_claim *claim)
{
  bool is_exact = EXTENT_IS_PLAIN && sampling_mode() == SAMPLING_EXACT;
  if (UNLIKELY(is_exact && page_bin_offset(slice) == 0)) {
    exact_free(slice, block, claim);
  } else {
    front_free_otherwise(slice, block, claim);
  }
}

// Frees a block, of which the fast path believes what the caller claims.
static inline void front_free(void *block, const struct block_claim *claim)
{
  uint64_t units = page_units(block);
  if (UNLIKELY(!EXTENT_IS_PLAIN || !page_has_units(units))) {
    allocate_free(block, claim);
    return;
  }
  struct page *slice = page_of_units(units);
  if (UNLIKELY(!heap_free(heap_current, slice, block))) front_free_refused(slice, block, claim);
}

static NOINLINE void front_free_slowly(void *block, enum block_kind kind, bool has_size,
                                       size_t size, size_t alignment)
{
  struct block_claim claim = {
      .kind = kind, .has_size = has_size, .size = size, .alignment = alignment};
  uint64_t units = page_units(block);
  if (UNLIKELY(!EXTENT_IS_PLAIN || !page_has_units(units))) {
    allocate_free(block, &claim);
  } else {
    front_free_refused(page_of_units(units), block, &claim);
  }
}

// The same with a claim in pieces, which is put together only where somebody looks at it.
static inline void front_free_as(void *block, enum block_kind kind, bool has_size, size_t size,
                                 size_t alignment)
{
  uint64_t units = page_units(block);
  bool is_inside = EXTENT_IS_PLAIN && page_has_units(units);
  if (UNLIKELY(!is_inside || !heap_free(heap_current, page_of_units(units), block))) {
    front_free_slowly(block, kind, has_size, size, alignment);
  }
}

#endif
