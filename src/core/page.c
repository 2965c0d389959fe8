// SPDX-License-Identifier: MIT
#include "core/page.h"

#include "base/fatal.h"
#include "base/size_class.h"
#include "core/page_bitmap.h"
#include "core/page_list.h"
#include "core/policy.h"
#include "os/memory.h"

INTERNAL struct region region SEALED;
INTERNAL _Atomic(size_t) region_units;

INTERNAL uint32_t page_slices_for(size_t block_bytes)
{
  bool is_small = block_bytes <= SIZE_CLASS_SMALL_BYTES;
  size_t least = is_small ? TUNING_SMALL_BLOCKS : TUNING_MEDIUM_BLOCKS;
  size_t bytes = least * block_bytes + policy_guard_bytes();
  return (uint32_t)bits_smaller((bytes + SLICE_BYTES - 1) >> SLICE_SHIFT, TUNING_PAGE_SLICES);
}

// Slices of a page whose blocks can lie in any of them must lead back to the first. A large block
// has only one address that counts, so its other slices stay as they are.
static void mark_inside(struct page *page)
{
  for (uint32_t i = 1; i < page->slices; i++) {
    page[i].slices = i;
    page_set_kind(&page[i], PAGE_INSIDE);
  }
}

INTERNAL void page_init(struct page *page, enum page_kind kind, uint32_t slices, size_t block_bytes,
                        bool is_zero)
{
  size_t fitting = (slices_to_bytes(slices) - policy_guard_bytes()) / block_bytes;
  page->local_free = NULL;
  page_set_bin_offset(page, 0);
  atomic_store_explicit(&page->is_tracked, false, memory_order_relaxed);
  page->is_direct = false;
  atomic_store_explicit(&page->used, 0, memory_order_relaxed);
  page->carved = kind == PAGE_LARGE ? 1 : 0;
  page->capacity = kind == PAGE_LARGE ? 1 : (uint16_t)bits_smaller(fitting, TUNING_PAGE_BLOCKS);
  page->block_bytes = block_bytes;
  page->inverse = kind == PAGE_LARGE ? 0 : (uint32_t)((UINT64_C(1) << 32) / block_bytes + 1);
  page->link = (struct list){NULL, NULL};
  page->chain = (struct list){NULL, NULL};
  page->slices = slices;
  page->flags = (uint8_t)((page->flags & PAGE_IS_SPLIT) | (is_zero ? PAGE_IS_ZERO : 0));
  atomic_store_explicit(&page->remote, 0, memory_order_relaxed);
  atomic_store_explicit(&page->notice, NOTICE_NONE, memory_order_relaxed);
  // What the slices were before may have been emptied by a mover. Of a large block only the first
  // is looked at: there may be very many.
  for (uint32_t i = 0; i < (kind == PAGE_LARGE ? 1 : slices); i++) {
    atomic_store_explicit(&page[i].is_source, false, memory_order_relaxed);
  }
  if (kind != PAGE_LARGE) mark_inside(page);
  page_set_kind(page, kind);
}

INTERNAL size_t page_touched_bytes(const struct page *page)
{
  return bits_align_up(page->carved * page->block_bytes, os_page_bytes());
}

INTERNAL size_t page_resident_bytes(const struct page *page)
{
  bool is_rest_clean = (page->flags & (PAGE_IS_ZERO | PAGE_REST_PURGED)) != 0;
  size_t bytes = is_rest_clean ? page_touched_bytes(page) : page_run_bytes(page);
  bool is_bitmap = atomic_load_explicit(&page->kind, memory_order_relaxed) == PAGE_BITMAP;
  return is_bitmap ? bytes - page_bitmap_purged_bytes(page) : bytes;
}

INTERNAL size_t page_purge_rest(struct page *page)
{
  if ((page->flags & (PAGE_IS_ZERO | PAGE_REST_PURGED)) != 0) return 0;
  page->flags |= PAGE_REST_PURGED;
  size_t from = page_touched_bytes(page);
  size_t end = page_run_bytes(page);
  if (from >= end) return 0;
  os_memory_purge(page_start(page) + from, end - from);
  return end - from;
}

INTERNAL bool page_retire(struct page *page)
{
  uint32_t notice = atomic_load_explicit(&page->notice, memory_order_relaxed);
  while (notice != NOTICE_POSTED) {
    if (atomic_compare_exchange_weak(&page->notice, &notice, NOTICE_NONE)) return true;
  }
  return false;
}

INTERNAL bool page_has_free(struct page *page)
{
  return page_kind(page) == PAGE_LIST ? page_list_has_free(page) : page_bitmap_has_free(page);
}

INTERNAL bool page_is_unused(struct page *page)
{
  return page_kind(page) == PAGE_LIST ? page_list_is_unused(page) : page_bitmap_is_unused(page);
}

INTERNAL void page_assert_valid(struct page *page)
{
  ASSERT(page->carved <= page->capacity);
  ASSERT(page->capacity * page->block_bytes <= page_run_bytes(page));
  ASSERT(page->source != NULL);
  if (page_kind(page) == PAGE_LIST) {
    page_list_assert_valid(page);
  } else {
    page_bitmap_assert_valid(page);
  }
}

INTERNAL bool page_visit(struct page *page, page_visitor visitor, void *argument)
{
  uint64_t free[TUNING_PAGE_BLOCKS / 64 + 1] = {0};
  bool is_list = page_kind(page) == PAGE_LIST;
  if (is_list) page_list_mark_free(page, free);
  for (uint32_t i = 0; i < page->carved; i++) {
    bool is_live = is_list ? (free[i / 64] >> i % 64 & 1) == 0 : page_bitmap_is_live(page, i);
    if (is_live &&
        !visitor(page_start(page) + i * page->block_bytes, page->block_bytes, argument)) {
      return false;
    }
  }
  return true;
}
