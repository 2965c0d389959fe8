// SPDX-License-Identifier: MIT
#include "track/heap_view.h"

#include "base/fatal.h"
#include "core/block_link.h"
#include "core/large.h"
#include "core/policy.h"
#include "core/registry.h"
#include "track/tracker.h"

// ---------------------------------------------------------------------------------------------
// Bits.

static void set_view_bits(uint64_t *bits, size_t from, size_t count)
{
  for (size_t end = from + count; from < end;) {
    unsigned low = (unsigned)(from % 64);
    unsigned here = (unsigned)bits_smaller(64 - low, end - from);
    bits[from / 64] |= bits_low_mask(here) << low;
    from += here;
  }
}

static void clear_view_bit(uint64_t *bits, uint32_t number)
{
  bits[number / 64] &= ~(UINT64_C(1) << number % 64);
}

// ---------------------------------------------------------------------------------------------
// Pages.

// Whether a descriptor can be that of a page of equal blocks.
static bool is_plausible_page(const struct page *page, size_t slices_left)
{
  return page->slices >= 1 && page->slices <= TUNING_PAGE_SLICES && page->slices <= slices_left &&
         page->block_bytes >= sizeof(struct block) && page->block_bytes <= page_run_bytes(page) &&
         page->capacity >= 1 && page->capacity <= TUNING_PAGE_BLOCKS &&
         page->capacity * page->block_bytes <= page_run_bytes(page) &&
         page->carved <= page->capacity;
}

static struct view_page view_of_page(struct page *page)
{
  return (struct view_page){
      .start = (uintptr_t)page_start(page),
      .block_bytes = page->block_bytes,
      .inverse = (uint32_t)((UINT64_C(1) << 32) / page->block_bytes + 1),
      .count = page->carved,
      .has_objects = heap_page_has_objects(page),
  };
}

static struct view_page view_of_large(struct page *page)
{
  return (struct view_page){
      .start = (uintptr_t)large_block(page),
      .block_bytes = page->block_bytes,
      .count = 1,
      .has_objects = heap_page_has_objects(page),
  };
}

// Adds what begins at a slice. Says how many slices that takes.
static uint32_t add_slice_to_view(struct heap_view *view, struct page *page, size_t slices_left)
{
  enum page_kind kind = page_kind(page);
  bool is_large = kind == PAGE_LARGE;
  if (is_large && (page->slices == 0 || page->slices > slices_left)) return 1;
  if (!is_large && kind != PAGE_LIST && kind != PAGE_BITMAP) return 1;
  if (!is_large && !is_plausible_page(page, slices_left)) return 1;
  struct view_page *added = &view->pages[view->page_count++];
  *added = is_large ? view_of_large(page) : view_of_page(page);
  added->first = view->paged_count;
  view->paged_count += added->count;
  uint32_t *slots = &view->page_of_slice[page_index(page)];
  for (uint32_t i = 0; i < page->slices; i++) slots[i] = view->page_count;
  return page->slices;
}

static bool add_pages_to_view(struct heap_view *view)
{
  size_t slices = view->bytes >> SLICE_SHIFT;
  for (size_t i = 0; i < slices;) {
    i += add_slice_to_view(view, &region.pages[i], slices - i);
    if (view->paged_count > UINT32_MAX / 2) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// What is free.

// The number of the block that starts at an address, if there may be one.
static uint32_t number_of_block(const struct heap_view *view, const void *block)
{
  size_t at = (uintptr_t)block - view->start;
  if (at >= view->bytes || at % sizeof(struct block *) != 0) return VIEW_NONE;
  return heap_view_find(view, (uintptr_t)block);
}

// A chain ends where a block is not one that counted as live until now.
static void clear_chain_in_view(struct heap_view *view, struct block *block)
{
  uint32_t number;
  while (block != NULL && (number = number_of_block(view, block)) != VIEW_NONE) {
    clear_view_bit(view->live, number);
    block = block_next(block);
  }
}

static bool is_free_in_view(struct page *page, uint32_t index)
{
  if (!page_bitmap_is_live(page, index)) return true;
#ifdef MEND_HARDENED
  return !policy_is_marked_live(page, index);
#else
  return false;
#endif
}

static void find_live_in_page(struct heap_view *view, const struct view_page *viewed,
                              struct page *page)
{
  if (viewed->has_objects) return;
  set_view_bits(view->live, viewed->first, viewed->count);
  if (page_kind(page) == PAGE_BITMAP) {
    for (uint32_t i = 0; i < viewed->count; i++) {
      if (is_free_in_view(page, i)) clear_view_bit(view->live, viewed->first + i);
    }
  } else if (page_kind(page) == PAGE_LIST) {
    clear_chain_in_view(view, page->local_free);
    clear_chain_in_view(view, remote_peek(page));
  }
}

static void clear_kept_blocks(struct heap_view *view, const struct heap *heap)
{
  for (size_t i = 0; i < sizeof heap->bins / sizeof heap->bins[0]; i++) {
    clear_chain_in_view(view, heap->bins[i].first);
  }
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) {
    const struct shelf *shelf = &heap->shelves[i];
    for (uint32_t j = 0; j < shelf->count && j < TUNING_SHELF_BLOCKS; j++) {
      uint32_t number = number_of_block(view, shelf->blocks[j]);
      if (number != VIEW_NONE) clear_view_bit(view->live, number);
    }
  }
}

static bool clear_twin_in_view(const struct tracker_block *block, void *argument)
{
  struct heap_view *view = argument;
  uint32_t number = block->twin != NULL ? number_of_block(view, block->twin) : VIEW_NONE;
  if (number != VIEW_NONE) clear_view_bit(view->live, number);
  return true;
}

// The blocks of a page that are in use by their records.
struct recorded_blocks {
  const struct view_page *page;
  uint64_t live[(TUNING_PAGE_BLOCKS + 63) / 64];
};

static bool add_recorded_block(const struct tracker_block *block, void *argument)
{
  struct recorded_blocks *recorded = argument;
  size_t index = ((uintptr_t)block->block - recorded->page->start) / recorded->page->block_bytes;
  if (index < recorded->page->count) set_view_bits(recorded->live, index, 1);
  return true;
}

static void believe_records(struct heap_view *view, const struct view_page *viewed,
                            struct page *page)
{
  struct recorded_blocks recorded = {.page = viewed};
  if (page_is_tracked(page)) (void)tracker_visit(page, add_recorded_block, &recorded);
  for (uint32_t i = 0; i < viewed->count; i++) {
    bool is_recorded = (recorded.live[i / 64] >> i % 64 & 1) != 0;
    bool is_live = heap_view_is_live(view, viewed->first + i);
    if (is_recorded == is_live) continue;
    if (is_recorded) {
      set_view_bits(view->live, viewed->first + i, 1);
    } else {
      clear_view_bit(view->live, viewed->first + i);
      view->strays++;
    }
  }
}

static struct page *page_of_view(const struct heap_view *view, const struct view_page *viewed)
{
  return &region.pages[(viewed->start - view->start) >> SLICE_SHIFT];
}

// ---------------------------------------------------------------------------------------------

static bool make_view_tables(struct heap_view *view, struct os_scratch *scratch)
{
  size_t slices = view->bytes >> SLICE_SHIFT;
  view->page_of_slice = os_scratch_take_array(scratch, slices, sizeof *view->page_of_slice);
  view->pages = os_scratch_take_array(scratch, slices, sizeof *view->pages);
  return view->page_of_slice != NULL && view->pages != NULL;
}

static bool make_view_blocks(struct heap_view *view, struct os_scratch *scratch, uint32_t lone_room)
{
  size_t words = ((size_t)view->paged_count + lone_room + 63) / 64;
  view->live = os_scratch_take_array(scratch, words, sizeof *view->live);
  view->lone = os_scratch_take_array(scratch, lone_room, sizeof *view->lone);
  view->lone_room = lone_room;
  return view->live != NULL && view->lone != NULL;
}

INTERNAL bool heap_view_read(struct heap_view *view, struct os_scratch *scratch, uint32_t lone_room)
{
  *view = (struct heap_view){.start = region.start};
  size_t units = atomic_load_explicit(&region_units, memory_order_acquire);
  view->bytes = bits_align_down(units << 4, SLICE_BYTES);
  if (lone_room > UINT32_MAX / 4 || !make_view_tables(view, scratch) || !add_pages_to_view(view) ||
      !make_view_blocks(view, scratch, lone_room)) {
    return false;
  }
  for (uint32_t i = 0; i < view->page_count; i++) {
    find_live_in_page(view, &view->pages[i], page_of_view(view, &view->pages[i]));
  }
  for (struct heap *heap = registry_next(NULL); heap != NULL; heap = registry_next(heap)) {
    clear_kept_blocks(view, heap);
  }
  for (uint32_t i = 0; i < view->page_count; i++) {
    struct page *page = page_of_view(view, &view->pages[i]);
    if (tracker_is_complete()) {
      bool is_list = page_kind(page) == PAGE_LIST && !view->pages[i].has_objects;
      if (is_list) believe_records(view, &view->pages[i], page);
    } else if (page_is_tracked(page)) {
      (void)tracker_visit(page, clear_twin_in_view, view);
    }
  }
  return true;
}

INTERNAL void heap_view_add_object(struct heap_view *view, const void *block)
{
  size_t at = (uintptr_t)block - view->start;
  uint32_t which = at < view->bytes ? view->page_of_slice[at >> SLICE_SHIFT] : 0;
  if (which == 0) return;
  const struct view_page *page = &view->pages[which - 1];
  size_t offset = (uintptr_t)block - page->start;
  size_t index = offset / page->block_bytes;
  if (index < page->count) set_view_bits(view->live, page->first + index, 1);
}

INTERNAL void heap_view_add_lone(struct heap_view *view, const void *block, size_t bytes)
{
  if (view->lone_count == view->lone_room) return;
  set_view_bits(view->live, heap_view_count(view), 1);
  view->lone[view->lone_count++] = (struct view_lone){(uintptr_t)block, bytes};
}

INTERNAL uint32_t heap_view_count_up_to(const void *array, size_t element_bytes, uint32_t count,
                                        uintptr_t address)
{
  uint32_t low = 0;
  uint32_t high = count;  // those from here on begin behind the address
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    const void *start = (const char *)array + middle * element_bytes;
    if (*(const uintptr_t *)start <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

INTERNAL uint32_t heap_view_find_lone(const struct heap_view *view, uintptr_t address)
{
  uint32_t count = heap_view_count_up_to(view->lone, sizeof *view->lone, view->lone_count, address);
  if (count == 0) return VIEW_NONE;
  const struct view_lone *lone = &view->lone[count - 1];
  return address - lone->start < lone->bytes ? view->paged_count + count - 1 : VIEW_NONE;
}

INTERNAL struct view_block heap_view_block_at(const struct heap_view *view, uintptr_t address)
{
  size_t at = address - view->start;
  if (at >= view->bytes) {
    uint32_t number = heap_view_find_lone(view, address);
    if (number == VIEW_NONE) return (struct view_block){0};
    const struct view_lone *lone = &view->lone[number - view->paged_count];
    return (struct view_block){lone->start, lone->bytes, false};
  }
  const struct view_page *page = &view->pages[view->page_of_slice[at >> SLICE_SHIFT] - 1];
  size_t offset = address - page->start;
  return (struct view_block){address - offset % page->block_bytes, page->block_bytes,
                             page->has_objects};
}

INTERNAL void heap_view_each(const struct heap_view *view, heap_view_visitor visit, void *argument)
{
  for (uint32_t i = 0; i < view->page_count; i++) {
    const struct view_page *page = &view->pages[i];
    for (uint32_t j = 0; j < page->count; j++) {
      struct view_block block = {page->start + j * page->block_bytes, page->block_bytes,
                                 page->has_objects};
      if (heap_view_is_live(view, page->first + j)) visit(page->first + j, &block, argument);
    }
  }
  for (uint32_t i = 0; i < view->lone_count; i++) {
    struct view_block block = {view->lone[i].start, view->lone[i].bytes, false};
    visit(view->paged_count + i, &block, argument);
  }
}

INTERNAL void heap_view_assert_valid(const struct heap_view *view)
{
  uint32_t first = 0;
  for (uint32_t i = 0; i < view->page_count; i++) {
    const struct view_page *page = &view->pages[i];
    ASSERT(page->first == first &&
           view->page_of_slice[page_index(page_of_view(view, page))] == i + 1);
    ASSERT(i == 0 || page->start > view->pages[i - 1].start);
    first += page->count;
  }
  ASSERT(first == view->paged_count && view->lone_count <= view->lone_room);
  for (uint32_t i = 1; i < view->lone_count; i++) {
    ASSERT(view->lone[i].start > view->lone[i - 1].start);
  }
  (void)first;
}
