// SPDX-License-Identifier: MIT
#include "handle/evacuation.h"

#include "base/fatal.h"
#include "base/options.h"
#include "handle/step.h"
#include "os/memory.h"

static void push_page(struct list *list, struct page *page)
{
  list_push_back(list, &page->link);
}

static struct page *pop_page(struct list *list)
{
  if (list_is_empty(list)) return NULL;
  struct page *page = CONTAINER_OF(list->next, struct page, link);
  list_remove(&page->link);
  return page;
}

static void mark_source(struct page *page, bool is_source)
{
  for (uint32_t i = 0; i < page->slices; i++) {
    atomic_store_explicit(&page[i].is_source, is_source, memory_order_relaxed);
  }
}

// Opens a page, which may be given back by that. One of a lane that a fork has given up stays
// closed: nobody can go inside there.
static void open_page(struct page *page)
{
  STEP(STEP_OPEN_PAGE);
  struct heap *blocks = page_heap(page);
  if (blocks->is_given_up) return;
  heap_enter(blocks);
  heap_open_page(blocks, page);
  heap_leave(blocks);
}

static void release_quarantined(struct evacuation *evacuation)
{
  struct page *page = pop_page(&evacuation->quarantine);
  evacuation->quarantined--;
  (void)os_memory_permit(page_start(page), page_run_bytes(page));
  open_page(page);
}

static bool quarantine(struct evacuation *evacuation, struct page *page)
{
  if (!options.handle_poison) return false;
  if (!os_memory_forbid(page_start(page), page_run_bytes(page))) return false;
  push_page(&evacuation->quarantine, page);
  if (++evacuation->quarantined > EVACUATION_QUARANTINE) release_quarantined(evacuation);
  return true;
}

// A source that is no longer one.
static void release_source(struct evacuation *evacuation, struct page *page,
                           struct mend_defrag_report *report)
{
  mark_source(page, false);
  if (page_bitmap_is_unused(page)) {
    report->pages_emptied++;
    report->bytes_freed += page_run_bytes(page);
    if (quarantine(evacuation, page)) return;
  }
  open_page(page);
}

static void release_all(struct evacuation *evacuation, struct list *list,
                        struct mend_defrag_report *report)
{
  struct page *page;
  while ((page = pop_page(list)) != NULL) release_source(evacuation, page, report);
}

INTERNAL void evacuation_init(struct evacuation *evacuation)
{
  list_init(&evacuation->sources);
  list_init(&evacuation->emptied);
  list_init(&evacuation->quarantine);
}

INTERNAL void evacuation_add(struct evacuation *evacuation, struct page *page)
{
  push_page(&evacuation->sources, page);
  mark_source(page, true);
}

INTERNAL void evacuation_note_emptied(struct evacuation *evacuation, struct page *page)
{
  list_remove(&page->link);
  push_page(&evacuation->emptied, page);
}

INTERNAL void evacuation_release_emptied(struct evacuation *evacuation,
                                         struct mend_defrag_report *report)
{
  release_all(evacuation, &evacuation->emptied, report);
}

INTERNAL void evacuation_end(struct evacuation *evacuation, struct mend_defrag_report *report)
{
  release_all(evacuation, &evacuation->sources, report);
}

INTERNAL void evacuation_end_quarantine(struct evacuation *evacuation)
{
  while (evacuation->quarantined > 0) release_quarantined(evacuation);
}

INTERNAL void evacuation_open_strays(struct handle_heap *heap)
{
  struct lane *lane;
  for (uint32_t i = 0; heap->has_stray_pages && i < HANDLE_LANES; i++) {
    if (!lane_enter_number(heap, i, &lane)) continue;
    struct list *next;
    for (struct list *at = lane->blocks.pages.next; at != &lane->blocks.pages; at = next) {
      next = at->next;
      struct page *page = CONTAINER_OF(at, struct page, chain);
      if ((page->flags & PAGE_IS_CLOSED) == 0) continue;
      page->link = (struct list){NULL, NULL};
      mark_source(page, false);
      (void)os_memory_permit(page_start(page), page_run_bytes(page));  // it may be in quarantine
      heap_open_page(&lane->blocks, page);
    }
    lane_leave(lane);
  }
  heap->has_stray_pages = false;
}

// How many pages are in a list, each of them closed, and marked as sources or not.
static uint32_t assert_list_valid(const struct list *list, bool are_sources)
{
  uint32_t count = 0;
  for (const struct list *at = list->next; at != list; at = at->next, count++) {
    const struct page *page = CONTAINER_OF(at, struct page, link);
    ASSERT((page->flags & PAGE_IS_CLOSED) != 0);
    for (uint32_t i = 0; i < page->slices; i++) {
      ASSERT(atomic_load_explicit(&page[i].is_source, memory_order_relaxed) == are_sources);
    }
    (void)page, (void)are_sources;
  }
  return count;
}

INTERNAL void evacuation_assert_valid(const struct evacuation *evacuation)
{
  (void)assert_list_valid(&evacuation->sources, true);
  (void)assert_list_valid(&evacuation->emptied, true);
  uint32_t count = assert_list_valid(&evacuation->quarantine, false);
  ASSERT(count == evacuation->quarantined && count <= EVACUATION_QUARANTINE);
  (void)count;
}
