// SPDX-License-Identifier: MIT
//
// The plan of a pass, for pages that are filled by hand: which are emptied, how many, and that no
// other choice would free more.
#include "handles.h"

enum { SIZE = 1000, PAGES = 40 };

static struct plan plan;

// The heap's pages in the order they were made, and the objects in them.
static struct {
  struct page *page;
  uint64_t handles[TUNING_PAGE_BLOCKS];
  uint32_t used;
} pages[PAGES];
static size_t page_count;
static uint32_t capacity;

// Full pages of one lane: the first, to which a thread comes back sooner or later.
static void make_pages(size_t count, size_t size)
{
  for (size_t i = 0; i < 100; i++) lane_leave(lane_enter(heap, false));
  page_count = count;
  for (size_t i = 0; i < count; i++) {
    uint32_t j = 0;
    do {
      pages[i].handles[j] = make_object(size);
      struct page *page = page_of_block(place_of(pages[i].handles[j]));
      if (j == 0) pages[i].page = page;
      CHECK(page == pages[i].page);
    } while (++j < pages[i].page->capacity);
    pages[i].used = capacity = j;
  }
}

static void leave(size_t number, uint32_t used)
{
  while (pages[number].used > used) {
    uint64_t handle = pages[number].handles[--pages[number].used];
    CHECK(object_free(handle, false) == MEND_OK);
  }
}

static struct class_plan *plan_of(size_t size)
{
  plan_make(&plan, heap);
  return &plan.classes[size_class_of(size)];
}

static bool is_closed(size_t number)
{
  return (pages[number].page->flags & PAGE_IS_CLOSED) != 0;
}

static struct evacuation evacuation;

static size_t close_pages(void)
{
  size_t count = 0;
  evacuation_init(&evacuation);
  plan_close_pages(&plan, heap, &evacuation);
  struct list *sources = &evacuation.sources;
  for (struct list *at = sources->next; at != sources; at = at->next) {
    struct page *page = CONTAINER_OF(at, struct page, link);
    CHECK((page->flags & PAGE_IS_CLOSED) != 0);
    count++;
  }
  return count;
}

static void open_pages(void)
{
  struct mend_defrag_report report = {.bytes = sizeof report};
  evacuation_end(&evacuation, &report);
}

static void dense_pages_are_left_alone(void **state)
{
  (void)state;
  assert_int_equal(plan_of(SIZE)->emptied, 0);  // of nothing
  make_pages(5, SIZE);
  const struct class_plan *class = plan_of(SIZE);
  assert_int_equal(plan.pages, 5);
  assert_int_equal(class->emptied + class->objects, 0);
  assert_int_equal(close_pages(), 0);
  leave(3, 1);  // less than a page's worth is free in the others
  class = plan_of(SIZE);
  assert_int_equal(class->emptied + class->objects, 0);
  assert_int_equal(close_pages(), 0);
}

static void the_sparsest_pages_are_emptied(void **state)
{
  (void)state;
  make_pages(6, SIZE);
  uint32_t half = capacity / 2;
  const uint32_t used[] = {1, capacity, half, capacity - 1, half - 1, capacity};
  uint32_t all = 0;
  for (size_t i = 0; i < 6; i++) {
    leave(i, used[i]);
    all += used[i];
  }
  uint32_t stay = (all + capacity - 1) / capacity;
  const struct class_plan *class = plan_of(SIZE);
  assert_int_equal(class->emptied, 6 - stay);
  assert_true(TEST_IS_WASTEFUL || (stay == 4 && class->objects == half));
  assert_int_equal(close_pages(), 6 - stay);
  assert_true(is_closed(0));
  assert_true(TEST_IS_WASTEFUL || is_closed(4));
  assert_false(is_closed(1) || is_closed(3) || is_closed(5));
  class = plan_of(SIZE);
  assert_int_equal(plan.pages, stay);  // what is closed is another's
  open_pages();
  class = plan_of(SIZE);
  assert_int_equal(plan.pages, 6);
  assert_int_equal(class->emptied, 6 - stay);
}

static void of_equals_no_more_are_emptied_than_need_be(void **state)
{
  (void)state;
  make_pages(10, SIZE);
  for (size_t i = 0; i < 10; i++) leave(i, 2 * (capacity / 5));
  uint32_t all = 10 * (2 * (capacity / 5));
  uint32_t stay = (all + capacity - 1) / capacity;
  const struct class_plan *class = plan_of(SIZE);
  assert_int_equal(class->emptied, 10 - stay);
  assert_int_equal(class->objects, (10 - stay) * (2 * (capacity / 5)));
  assert_int_equal(close_pages(), 10 - stay);
  open_pages();
}

static void classes_do_not_mix(void **state)
{
  (void)state;
  make_pages(3, SIZE);
  for (size_t i = 0; i < 3; i++) leave(i, capacity / 3);
  make_pages(4, 3000);
  assert_int_equal(plan_of(3000)->emptied, 0);
  assert_int_equal(plan.classes[size_class_of(SIZE)].emptied, 2);
  assert_int_equal(plan.pages, 7);
  assert_int_equal(close_pages(), 2);
  open_pages();
}

static void pages_whose_free_blocks_go_by_themselves_are_left_alone(void **state)
{
  (void)state;
  make_sparse(os_page_bytes(), 10);
  assert_int_equal(plan_of(os_page_bytes())->emptied, 0);
  assert_int_equal(plan.pages, 0);
  make_sparse(5 * os_page_bytes(), 4);
  assert_int_equal(plan_of(5 * os_page_bytes())->emptied, 0);
  assert_int_equal(plan.pages, 0);
  make_sparse(MIB, 2);
  plan_make(&plan, heap);
  assert_int_equal(plan.pages, 0);
}

static void all_lanes_are_planned_together(void **state)
{
  (void)state;
  make_pages(3, SIZE);
  for (size_t i = 0; i < 3; i++) leave(i, capacity / 3);
  struct lane *lane = lane_of(pages[0].page);
  heap_enter(&lane->blocks);
  static uint64_t others[3 * TUNING_PAGE_BLOCKS];
  for (uint32_t i = 0; i < 2 * capacity; i++) others[i] = make_object(SIZE);
  heap_leave(&lane->blocks);
  assert_ptr_not_equal(lane_of(page_of_block(place_of(others[0]))), lane);
  assert_int_equal(plan_of(SIZE)->emptied, 2);
  for (uint32_t i = 0; i < 2 * capacity; i++) {
    if (i % 5 != 0) assert_int_equal(object_free(others[i], false), MEND_OK);
  }
  uint32_t all = 3 * (capacity / 3) + (2 * capacity + 4) / 5;
  assert_int_equal(plan_of(SIZE)->emptied, 5 - (all + capacity - 1) / capacity);
  assert_int_equal(close_pages(), 5 - (all + capacity - 1) / capacity);
  open_pages();
}

static void no_choice_would_free_more_or_move_less(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  for (size_t round = 0; round < test_scaled(30); round++) {
    uint64_t used = 0;
    make_pages(1 + random_below(&random, PAGES), SIZE);
    size_t most = 1 + random_below(&random, capacity + 1);
    for (size_t i = 0; i < page_count; i++) {
      leave(i, (uint32_t)bits_smaller(1 + random_below(&random, most), capacity));
      used += pages[i].used;
    }
    size_t emptied = page_count - (used + capacity - 1) / capacity;
    struct class_plan class = *plan_of(SIZE);
    assert_int_equal(class.emptied, emptied);
    assert_int_equal(close_pages(), emptied);
    uint64_t moved = 0;
    uint32_t fullest = 0;  // of those that are emptied, in 32nds
    for (size_t i = 0; i < page_count; i++) {
      uint32_t step = pages[i].used * PLAN_STEPS / capacity;
      if (is_closed(i)) moved += pages[i].used;
      if (is_closed(i) && step > fullest) fullest = step;
    }
    for (size_t i = 0; i < page_count; i++) {
      assert_true(is_closed(i) || pages[i].used * PLAN_STEPS / capacity >= fullest);
    }
    uint64_t error = moved > class.objects ? moved - class.objects : class.objects - moved;
    assert_true(error <= class.emptied * capacity / PLAN_STEPS + class.emptied);
    if (capacity <= PLAN_STEPS) assert_int_equal(error, 0);
    open_pages();
    for (size_t i = 0; i < page_count; i++) leave(i, 0);
    (void)handle_heap_collect(heap, true);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(dense_pages_are_left_alone),
      HANDLES_TEST(the_sparsest_pages_are_emptied),
      HANDLES_TEST(of_equals_no_more_are_emptied_than_need_be),
      HANDLES_TEST(classes_do_not_mix),
      HANDLES_TEST(pages_whose_free_blocks_go_by_themselves_are_left_alone),
      HANDLES_TEST(all_lanes_are_planned_together),
      HANDLES_TEST(no_choice_would_free_more_or_move_less),
  };
  return SUITE_RUN(tests);
}
