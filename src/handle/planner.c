// SPDX-License-Identifier: MIT
#include "handle/planner.h"

#include <string.h>

#include "os/memory.h"

static uint32_t step_of(struct page *page)
{
  return page_bitmap_used(page) * PLAN_STEPS / page->capacity;
}

static bool is_worth_moving(const struct page *page)
{
  return (page->flags & PAGE_IS_CLOSED) == 0 && page->block_bytes % os_page_bytes() != 0;
}

// Calls the function for each page of the lanes whose objects move, inside the lane.
static void each_page(struct handle_heap *heap, struct plan *plan, struct evacuation *evacuation,
                      void (*function)(struct plan *, struct page *, struct evacuation *))
{
  struct lane *lane;
  for (uint32_t i = 0; i < HANDLE_LANES; i++) {
    if (!lane_enter_number(heap, i, &lane)) continue;
    STEP(STEP_CLOSE_PAGE);
    remote_read_inbox(&lane->blocks);
    struct list *next;
    for (struct list *at = lane->blocks.pages.next; at != &lane->blocks.pages; at = next) {
      next = at->next;
      struct page *page = CONTAINER_OF(at, struct page, chain);
      if (is_worth_moving(page)) function(plan, page, evacuation);
    }
    lane_leave(lane);
  }
}

static void count_page(struct plan *plan, struct page *page, struct evacuation *evacuation)
{
  (void)evacuation;
  struct class_plan *class = &plan->classes[page->size_class];
  uint32_t used = page_bitmap_used(page);
  class->capacity = page->capacity;
  class->pages[used * PLAN_STEPS / page->capacity]++;
  class->used[used * PLAN_STEPS / page->capacity] += used;
  plan->pages++;
}

// Decides which pages of a class are kept: from the fullest on as many as its objects need.
static void choose(struct class_plan *class)
{
  uint64_t used = 0;
  uint64_t pages = 0;
  for (uint32_t i = 0; i <= PLAN_STEPS; i++) {
    used += class->used[i];
    pages += class->pages[i];
  }
  if (pages == 0) return;
  uint64_t kept = (used + class->capacity - 1) / class->capacity;
  class->emptied = pages - kept;
  uint64_t rest = class->emptied;
  while (class->limit <= PLAN_STEPS && class->pages[class->limit] <= rest) {
    rest -= class->pages[class->limit];
    class->objects += class->used[class->limit];
    class->limit++;
  }
  class->quota = (uint32_t)rest;
  if (rest > 0) class->objects += class->used[class->limit] * rest / class->pages[class->limit];
}

INTERNAL void plan_make(struct plan *plan, struct handle_heap *heap)
{
  memset(plan, 0, sizeof *plan);
  each_page(heap, plan, NULL, count_page);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) choose(&plan->classes[i]);
}

static void close_page(struct plan *plan, struct page *page, struct evacuation *evacuation)
{
  struct class_plan *class = &plan->classes[page->size_class];
  uint32_t step = step_of(page);
  if (step > class->limit || class->emptied == 0) return;
  if (step == class->limit) {
    if (class->quota == 0) return;
    class->quota--;
  }
  class->emptied--;
  heap_close_page(page_heap(page), page);
  evacuation_add(evacuation, page);
}

INTERNAL void plan_close_pages(struct plan *plan, struct handle_heap *heap,
                               struct evacuation *evacuation)
{
  each_page(heap, plan, evacuation, close_page);
}
