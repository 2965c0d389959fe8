// SPDX-License-Identifier: MIT
//
// The malloc family under its own names. mend_malloc and mend_free hold the two fast paths; what
// they do not serve, and all the others, goes through allocate.c.
#include <string.h>

#include "api/allocate.h"
#include "api/extent.h"
#include "api/front.h"
#include "api/init.h"
#include "api/tracking.h"
#include "core/chunk.h"
#include "core/large.h"
#include "core/policy.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "mend/mend.h"
#include "os/memory.h"
#include "track/remember.h"

// ---------------------------------------------------------------------------------------------
// Allocating.

void *mend_malloc(size_t size)
{
  return front_allocate(size, KIND_MALLOC);
}

void *mend_zalloc(size_t size)
{
  return front_allocate_zeroed(size);
}

void *mend_calloc(size_t count, size_t size)
{
  size_t bytes;
  if (UNLIKELY(!bits_multiply(count, size, &bytes))) return allocate_fail(ENOMEM);
  return mend_zalloc(bytes);
}

void *mend_allocate(size_t size)
{
  return size == 0 ? NULL : mend_malloc(size);
}

void *mend_malloc_at_least(size_t size, size_t *got)
{
  void *block = mend_malloc(size);
  if (block == NULL || got == NULL) return block;
  *got = mend_malloc_usable_size(block);
  if (UNLIKELY(tracking_is_on())) remember_resized(page_first(page_at(block)), block, *got, false);
  return block;
}

// Any alignment that is a power of two.
static void *aligned(size_t alignment, size_t size)
{
  if (alignment <= NATURAL_ALIGNMENT) return mend_malloc(size);
  return allocate(NULL, size, alignment, false);
}

void *mend_aligned_alloc(size_t alignment, size_t size)
{
  if (UNLIKELY(!bits_is_power_of_two(alignment))) return allocate_fail(EINVAL);
  return aligned(alignment, size);
}

void *mend_memalign(size_t alignment, size_t size)
{
  if (alignment > SIZE_MAX / 2 + 1) return allocate_fail(EINVAL);  // no power of two is that large
  return aligned(bits_next_power_of_two(alignment), size);
}

int mend_posix_memalign(void **block, size_t alignment, size_t size)
{
  if (!bits_is_power_of_two(alignment) || alignment < sizeof(void *)) return EINVAL;
  void *result = aligned(alignment, size);
  if (result == NULL) return ENOMEM;
  *block = result;
  return 0;
}

void *mend_valloc(size_t size)
{
  init_once();  // which reads the os page's size
  return aligned(os_page_bytes(), size);
}

void *mend_pvalloc(size_t size)
{
  init_once();
  size_t page = os_page_bytes();
  if (size > BITS_MAX_SIZE - page) return allocate_fail(ENOMEM);
  return aligned(page, bits_align_up(bits_larger(size, 1), page));
}

// ---------------------------------------------------------------------------------------------
// Freeing.

void mend_free(void *block)
{
  front_free(block, &front_free_claim);
}

void mend_free_sized(void *block, size_t size)
{
  front_free_as(block, KIND_MALLOC, true, size, 0);
}

void mend_free_aligned_sized(void *block, size_t alignment, size_t size)
{
  front_free_as(block, KIND_MALLOC, true, size, alignment);
}

void mend_cfree(void *block)
{
  mend_free(block);
}

// ---------------------------------------------------------------------------------------------
// Asking about a block.

size_t mend_malloc_usable_size(const void *block)
{
  if (block == NULL) return 0;
  if (extent_is_guarded(block)) return extent_guarded_size(block);
  struct page *page = allocate_page_of(block, USE_SIZE);
  return page != NULL ? extent_usable(page, block) : 0;
}

size_t mend_good_size(size_t size)
{
  if (!EXTENT_IS_PLAIN || size > BITS_MAX_SIZE - SLICE_BYTES) return size;
  if (size <= SIZE_CLASS_MAX_BYTES) return size_class_bytes(size_class_of(size));
  init_once();
  return bits_align_up(size, os_page_bytes());
}

bool mend_owns(const void *pointer)
{
  return extent_is_guarded(pointer) || allocate_page_around(pointer) != NULL;
}

// ---------------------------------------------------------------------------------------------
// Resizing.

// Whether a block of this size should stay where it is for a request of `size` that fits: it should
// unless more than a quarter would be wasted; one of up to 64 bytes always.
static bool is_worth_keeping(size_t block_bytes, size_t size)
{
  return size >= block_bytes - block_bytes / 4 || block_bytes <= 64;
}

// Tries to make the block hold `size` bytes at the same address.
static bool resize_in_place(struct page *page, void *block, size_t size)
{
  if (!extent_may_resize(page)) return false;
  size_t total = size + extent_extra_bytes();
  size_t old = extent_usable(page, block);
  bool stays_large =
      page_kind(page) == PAGE_LARGE && (total > SIZE_CLASS_MAX_BYTES || page_is_bound(page));
  if (stays_large && size < old && !policy_is_surrounded(page)) {
    // Closed while it is the block's: what is cut off may be another thread's at once.
    extent_resize(page, block, old, size);
    old = size;
  }
  size_t held = page->block_bytes;
  bool is_resized = stays_large && large_resize(page, total);
  if (page->block_bytes > held) extent_clear_end((char *)block + old, held - old);
  if (!is_resized && (total > page->block_bytes || !is_worth_keeping(page->block_bytes, total))) {
    return false;
  }
  extent_resize(page, block, old, size);
  if (UNLIKELY(page_is_tracked(page) || tracking_is_on())) {
    remember_resized(page, block, size, page->block_bytes != held);
  }
  return true;
}

static void *move_by_copy(struct page *page, void *block, size_t size)
{
  size_t old = extent_usable(page, block);
  struct allocate_place place = allocate_place_of(page);
  bool is_anywhere = place.heap == NULL && place.node == PAGE_ANY_NODE;
  void *copy = is_anywhere ? mend_malloc(size) : allocate_at(place, size, NATURAL_ALIGNMENT, false);
  if (copy == NULL) return NULL;
  memcpy(copy, block, bits_smaller(old, size));
  mend_free(block);
  return copy;
}

static NOINLINE void *realloc_block(void *block, size_t size)
{
  struct page *page = allocate_page_of(block, USE_REALLOC);
  if (UNLIKELY(page != NULL && size > BITS_MAX_SIZE - SLICE_BYTES)) return allocate_fail(ENOMEM);
  if (UNLIKELY(page == NULL || !extent_hold(page, block))) return allocate_fail(EINVAL);
  int saved_errno = errno;
  void *result = NULL;
  bool wipes = allocate_wipes(page);
  if (wipes) allocate_wipe(page, block, size);
  if (resize_in_place(page, block, size)) {
    result = block;
  } else {
    extent_release(page, block);
    bool may_move = EXTENT_IS_PLAIN && !wipes && page_kind(page) == PAGE_LARGE;
    if (may_move && size > page->block_bytes) result = tracking_move(page, block, size);
  }
  errno = saved_errno;
  if (result == NULL) result = move_by_copy(page, block, size);
  if (LIKELY(result != NULL)) return result;
  size_t old = extent_usable(page, block);
  if (size > old || !extent_hold(page, block)) return NULL;
  // There is no memory for a smaller block, and this one will do.
  errno = saved_errno;
  extent_resize(page, block, old, size);
  return block;
}

// A block that is guarded by itself always moves.
static NOINLINE void *realloc_guarded(void *block, size_t size)
{
  size_t old;
  if (UNLIKELY(!extent_check_guarded(block, &old))) return allocate_fail(EINVAL);
  int saved_errno = errno;
  void *copy = mend_malloc(size);
  if (copy == NULL && size <= old) {
    errno = saved_errno;  // there is no memory for a smaller block, and this one will do
    return block;
  }
  if (copy == NULL) return NULL;
  memcpy(copy, block, bits_smaller(old, size));
  mend_free(block);
  return copy;
}

void *mend_realloc(void *block, size_t size)
{
  if (block == NULL) return mend_malloc(size);
  if (size == 0) {
    mend_free(block);
    return NULL;
  }
  if (extent_is_guarded(block)) return realloc_guarded(block, size);
  return realloc_block(block, size);
}

void *mend_reallocarray(void *block, size_t count, size_t size)
{
  size_t bytes;
  if (UNLIKELY(!bits_multiply(count, size, &bytes))) return allocate_fail(ENOMEM);
  return mend_realloc(block, bytes);
}

void *mend_expand(void *block, size_t size)
{
  if (block == NULL || size > BITS_MAX_SIZE - SLICE_BYTES) return NULL;
  size_t old;
  if (extent_is_guarded(block)) {
    return extent_check_guarded(block, &old) && size <= old ? block : NULL;
  }
  struct page *page = allocate_page_of(block, USE_REALLOC);
  if (page == NULL || !extent_hold(page, block)) return NULL;
  int saved_errno = errno;
  bool is_large_enough = size <= extent_usable(page, block);
  bool is_expanded = !is_large_enough && resize_in_place(page, block, size);
  if (!is_expanded) extent_release(page, block);
  errno = saved_errno;
  return is_large_enough || is_expanded ? block : NULL;
}

// ---------------------------------------------------------------------------------------------
// Giving memory back.

// Returns what can be returned to the kernel but for `keep` bytes of free pages; says how much.
static size_t return_memory(size_t keep)
{
  int saved_errno = errno;
  size_t bytes = upkeep_collect(true) + chunk_purge_rests() + chunk_purge(keep);
  errno = saved_errno;
  return bytes;
}

void mend_collect(bool force)
{
  if (force) {
    (void)return_memory(0);
  } else {
    (void)upkeep_collect(false);
  }
}

int mend_malloc_trim(size_t pad)
{
  return return_memory(pad) > 0 ? 1 : 0;
}
