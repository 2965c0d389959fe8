// SPDX-License-Identifier: MIT
//
// The pages that a pass evacuates: what becomes of one that is emptied and of one that is not, and
// quarantine, after which nothing stays inaccessible.
#define _GNU_SOURCE 1
#include "child.h"
#include "handles.h"

#define GRACE_NS UINT64_C(10000000000)

static struct mend_defrag_report report;
static struct evacuation evacuation;

// The page of a kept object, closed, as a source.
static struct page *close_page_of_object(size_t number)
{
  struct page *page = page_of_block(place_of(kept.handles[number]));
  heap_enter(page_heap(page));
  heap_close_page(page_heap(page), page);
  heap_leave(page_heap(page));
  evacuation_add(&evacuation, page);
  return page;
}

static void begin(void)
{
  report = (struct mend_defrag_report){.bytes = sizeof report};
  evacuation_init(&evacuation);
}

static void what_is_not_emptied_is_opened_and_keeps_its_objects(void **state)
{
  (void)state;
  begin();
  make_sparse(500, 7);
  struct page *page = close_page_of_object(0);
  evacuation_assert_valid(&evacuation);
  for (uint32_t i = 0; i < page->slices; i++) assert_int_equal(page[i].is_source, 1);
  assert_int_not_equal(page->flags & PAGE_IS_CLOSED, 0);
  evacuation_release_emptied(&evacuation, &report);
  assert_int_not_equal(page->flags & PAGE_IS_CLOSED, 0);  // it has not been
  evacuation_end(&evacuation, &report);
  assert_int_equal(page->flags & PAGE_IS_CLOSED, 0);
  for (uint32_t i = 0; i < page->slices; i++) assert_int_equal(page[i].is_source, 0);
  assert_int_equal(report.pages_emptied + report.bytes_freed, 0);
  assert_int_equal(count_whole(), kept.count);
  free_kept();
}

// Frees all objects of a page, which is closed.
static void free_objects_of(const struct page *page)
{
  size_t left = 0;
  for (size_t i = 0; i < kept.count; i++) {
    if (page_of_block(place_of(kept.handles[i])) == page) {
      CHECK(object_free(kept.handles[i], false) == MEND_OK);
    } else {
      kept.handles[left++] = kept.handles[i];
    }
  }
  kept.count = left;
}

static void what_is_emptied_is_given_back(void **state)
{
  (void)state;
  begin();
  make_sparse(500, 7);
  struct page *page = close_page_of_object(0);
  size_t bytes = page_run_bytes(page);
  free_objects_of(page);
  evacuation_note_emptied(&evacuation, page);
  assert_true(list_is_empty(&evacuation.sources));
  evacuation_release_emptied(&evacuation, &report);
  assert_int_equal(report.pages_emptied, 1);
  assert_int_equal(report.bytes_freed, bytes);
  assert_int_equal(page->is_source, 0);
  assert_int_equal(page->flags & PAGE_IS_CLOSED, 0);
  evacuation_release_emptied(&evacuation, &report);
  assert_int_equal(report.pages_emptied, 1);
  assert_int_equal(count_whole(), kept.count);
  free_kept();
}

static void what_is_in_quarantine_can_be_ended(void **state)
{
  (void)state;
  begin();
  options.handle_poison = true;
  make_sparse(500, 7);
  struct page *page = close_page_of_object(0);
  free_objects_of(page);
  evacuation_note_emptied(&evacuation, page);
  evacuation_release_emptied(&evacuation, &report);
  assert_int_equal(evacuation.quarantined, 1);
  evacuation_assert_valid(&evacuation);
  assert_int_not_equal(page->flags & PAGE_IS_CLOSED, 0);
  evacuation_end_quarantine(&evacuation);
  assert_int_equal(evacuation.quarantined, 0);
  assert_int_equal(page->flags & PAGE_IS_CLOSED, 0);
  assert_int_equal(count_whole(), kept.count);
  free_kept();
}

static void touch_old_places(void)
{
  CHECK(signal(SIGSEGV, SIG_DFL) != SIG_ERR);  // which cmocka has caught
  for (size_t i = 0; i < kept.count; i++) {
    bool is_in_quarantine = (page_of_block(kept.places[i])->flags & PAGE_IS_CLOSED) != 0;
    if (is_in_quarantine) _exit(*(volatile char *)kept.places[i] & 0);
  }
}

static void an_old_address_in_an_emptied_page_is_deadly(void **state)
{
  (void)state;
  options.handle_poison = true;
  for (size_t i = 0; i < 3; i++) {  // more pages than stay in quarantine
    make_sparse(3000, 6);
    assert_int_equal(run_pass(&report, GRACE_NS), MEND_OK);
    assert_true(report.pages_emptied > 0);
    struct ending ending = child_run(touch_old_places);
    assert_true(ending.signal_number == SIGSEGV || HAS_ADDRESS_SANITIZER || HAS_THREAD_SANITIZER);
    assert_true(ending.signal_number != 0 || ending.exit_code > 0);
    assert_true(heap->mover->evacuation.quarantined <= EVACUATION_QUARANTINE);
    assert_int_equal(count_whole(), kept.count);
    free_kept();
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(what_is_not_emptied_is_opened_and_keeps_its_objects),
      HANDLES_TEST(what_is_emptied_is_given_back),
      HANDLES_TEST(what_is_in_quarantine_can_be_ended),
      HANDLES_TEST(an_old_address_in_an_emptied_page_is_deadly),
  };
  return SUITE_RUN(tests);
}
