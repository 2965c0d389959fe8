// SPDX-License-Identifier: MIT
//
// The os pages around guarded blocks: which they are, that damage is found to the byte, and that
// they count towards the limit of the heap while they are accessible.
#include <string.h>

#include "core/chunk.h"
#include "guarded.h"
#include "secure/guarded_pages.h"
#include "os/guard.h"

static char *range;  // of whole os pages, inaccessible
static size_t page;
enum { PAGES = 8 };

static struct guarded_slot slot_with(size_t at, size_t size)
{
  return (struct guarded_slot){.block = range + at, .size = size, .filling = 0xab};
}

static void pages_are_those_that_the_block_touches(void **state)
{
  (void)state;
  static const struct {
    size_t at, size, first, count;  // in os pages: the last two
  } cases[] = {{0, 1, 0, 1}, {16, 0, 0, 0}, {0, 0, 0, 0}, {16, 100, 0, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct guarded_slot slot = slot_with(cases[i].at, cases[i].size);
    struct guarded_pages pages = guarded_pages_of(&slot);
    assert_int_equal(guarded_pages_bytes(pages), cases[i].count * page);
    if (cases[i].count > 0) assert_ptr_equal(pages.start, range + cases[i].first * page);
  }
  struct guarded_slot across = slot_with(page - 16, 17);
  assert_int_equal(guarded_pages_bytes(guarded_pages_of(&across)), 2 * page);
  struct guarded_slot whole = slot_with(page, page);
  assert_ptr_equal(guarded_pages_of(&whole).start, range + page);
  assert_int_equal(guarded_pages_bytes(guarded_pages_of(&whole)), page);
}

static void each_changed_byte_is_found(void **state)
{
  (void)state;
  struct guarded_slot slot = slot_with(page - 64, 40);
  struct guarded_pages pages = guarded_pages_of(&slot);
  assert_true(guarded_pages_open(pages));
  guarded_pages_fill(&slot, pages);
  memset(slot.block, 0, slot.size);
  assert_null(guarded_pages_find_damage(&slot, pages));
  for (char *at = pages.start; at < pages.end; at++) {
    if (at >= slot.block && at < slot.block + slot.size) continue;
    *at ^= 1;
    assert_ptr_equal(guarded_pages_find_damage(&slot, pages), at);
    *at ^= 1;
  }
  pages.start[0] ^= 1;
  slot.block[-1] ^= 1;
  assert_ptr_equal(guarded_pages_find_damage(&slot, pages), slot.block - 1);
  assert_true(guarded_pages_close(pages));
}

static void they_count_towards_the_limit(void **state)
{
  (void)state;
  struct guarded_slot slots[PAGES];
  for (size_t i = 0; i < PAGES; i++) slots[i] = slot_with(i * page, 16);
  options.limit = chunk_statistics().used_bytes + 5 * page;
  for (size_t i = 0; i < PAGES; i++) {
    assert_int_equal(guarded_pages_open(guarded_pages_of(&slots[i])), i < 5);
  }
  assert_true(guarded_pages_close(guarded_pages_of(&slots[2])));
  assert_true(guarded_pages_open(guarded_pages_of(&slots[6])));
  assert_false(guarded_pages_open(guarded_pages_of(&slots[7])));
  for (size_t i = 0; i < PAGES; i++) {
    if (i != 2 && i != 5 && i != 7) {
      assert_true(guarded_pages_close(guarded_pages_of(&slots[i])));
    }
  }
  struct guarded_slot most = slot_with(0, 5 * page);
  assert_true(guarded_pages_open(guarded_pages_of(&most)));
  assert_true(guarded_pages_close(guarded_pages_of(&most)));
  options.limit = 0;
}

int main(void)
{
  static struct os_range place;
  os_memory_init(0, false);
  page = os_page_bytes();
  CHECK(os_range_find(&place, 64 * MIB, 2 * MIB, 2 * MIB));
  CHECK(os_range_commit(&place, place.start, 2 * MIB));
  range = place.start;
  CHECK(os_guard_install(range, PAGES * page));
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pages_are_those_that_the_block_touches),
      cmocka_unit_test(each_changed_byte_is_found),
      cmocka_unit_test(they_count_towards_the_limit),
  };
  return SUITE_RUN(tests);
}
