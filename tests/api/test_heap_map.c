// SPDX-License-Identifier: MIT
//
// mend_heap_map_write, as a program uses it: before a pass, after it, with its report; what the
// pages add up to is what the other functions say.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <string.h>

#include "../support/map_text.h"

enum { COUNT = 20000, SIZE = 240 };

static mend_handle handles[COUNT];

static void make_holes(void)
{
  for (size_t i = 0; i < COUNT; i++) handles[i] = mend_handle_zalloc(SIZE);
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 10 != 0) assert_int_equal(mend_handle_free(handles[i]), MEND_OK);
  }
}

static void free_rest(void)
{
  for (size_t i = 0; i < COUNT; i += 10) mend_handle_free(handles[i]);
}

static void a_snapshot_before_a_pass_and_one_after_it_differ_as_its_report_says(void **state)
{
  (void)state;
  make_holes();
  void *pinned = mend_pin(handles[COUNT / 2]);
  map_take(NULL);
  struct map_sum before = map_sum("bitmap", "handles:0");
  assert_int_equal(before.used, COUNT / 10);
  assert_int_equal(map_figure("fragmentation.objects"), COUNT / 10);
  assert_true(map_share("fragmentation.external") > 0.8);
  assert_int_equal(map.pin_count, 1);

  struct mend_defrag_report report = {.bytes = sizeof report};
  assert_int_equal(mend_defragment(&report), MEND_OK);
  map_take(&report);
  struct map_sum after = map_sum("bitmap", "handles:0");
  assert_int_equal(after.used, COUNT / 10);
  // From level 1 on they stay for one more pass, inaccessible.
  size_t gone = test_harden_level() >= 1 ? 0 : report.pages_emptied;
  assert_int_equal(before.pages - after.pages, gone);
  assert_int_equal(before.resident_bytes, report.before.resident_bytes);
  assert_int_equal(after.resident_bytes, report.after.resident_bytes);
  assert_int_equal(map_figure("report.objects_moved"), report.objects_moved);
  assert_int_equal(map_figure("report.before.resident_bytes"), before.resident_bytes);
  assert_int_equal(map_figure("fragmentation.resident_bytes"), after.resident_bytes);
  assert_int_equal(map.pin_count, 1);
  assert_int_equal(map.pins[0], (uintptr_t)pinned);
  const struct map_line *page = map_page_of(pinned);
  assert_true(page != NULL && page->used > 0 && strcmp(page->owner, "handles:0") == 0);
  mend_unpin(handles[COUNT / 2]);
  free_rest();
}

static void blocks_of_all_kinds_are_on_pages_of_theirs(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 100, 4096, 5000, 60000, 70000, 5000000};
  static const char *const kinds[] = {"list", "list", "list", "bitmap", "bitmap", "large", "large"};
  void *blocks[7];
  for (size_t i = 0; i < 7; i++) blocks[i] = mend_malloc(sizes[i]);
  map_take(NULL);
  for (size_t i = 0; i < 7; i++) {
    const struct map_line *page = map_page_of(blocks[i]);
    assert_non_null(page);
    const char *kind = TEST_IS_HARDENED && i < 3 ? "bitmap" : kinds[i];
    if (!TEST_IS_ANNOTATED) assert_string_equal(page->kind, kind);
    assert_true(page->block_bytes >= sizes[i] && page->used > 0);
    mend_free(blocks[i]);
  }
  struct mend_stats stats = {.bytes = sizeof stats};
  assert_true(mend_stats_get(&stats));
  map_take(NULL);
  assert_int_equal(map_sum("", "").pages, stats.page_count);
  assert_int_equal(map_sum("large", "").pages, stats.large_count);
  assert_int_equal(map_sum("free", "").resident_bytes, stats.retained_bytes);
}

static void it_says_why_it_failed(void **state)
{
  (void)state;
  struct mend_defrag_report report = {.bytes = 8};
  assert_false(mend_heap_map_write(-1, NULL));
  assert_int_equal(errno, EBADF);
  assert_false(mend_heap_map_write(1, &report));
  assert_int_equal(errno, EINVAL);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_snapshot_before_a_pass_and_one_after_it_differ_as_its_report_says),
      cmocka_unit_test(blocks_of_all_kinds_are_on_pages_of_theirs),
      cmocka_unit_test(it_says_why_it_failed),
  };
  return SUITE_RUN(tests);
}
