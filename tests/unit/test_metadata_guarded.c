// SPDX-License-Identifier: MIT
//
// Metadata in the hardened build, of which this program brings its own: large tables lie between
// guards, small pieces as ever.
#define _GNU_SOURCE 1
#define MEND_HARDENED 1
#include "guards.h"

#include "core/metadata.c"

static void check_piece(const char *piece, size_t bytes, bool is_guarded)
{
  CHECK(piece != NULL && is_aligned(piece, bits_smaller(bytes, 4096)));
  CHECK(is_zero(piece, bytes));
  CHECK(can_read(piece) && can_read(piece + bytes - 1));
  if (!is_guarded) return;
  CHECK(!can_read(piece - 1) && !can_read(piece - os_page_bytes()));
  CHECK(!can_read(piece + bytes));
  CHECK(!can_read(piece + bytes + os_page_bytes() - 1));
}

static void large_tables_lie_between_guards(void **state)
{
  (void)state;
  void *pieces[20];
  for (size_t i = 0; i < 20; i++) {
    size_t bytes = (size_t)16 << i % 17;
    pieces[i] = metadata_allocate(bytes);
    check_piece(pieces[i], bytes, bytes >= 32 * KIB);
    memset(pieces[i], 1, bytes);
  }
  for (size_t i = 0; i < 20; i++) {
    size_t bytes = (size_t)16 << i % 17;
    assert_true(metadata_may_hold(pieces[i], bytes));
    metadata_free(pieces[i], bytes);
    char *again = metadata_allocate(bytes);
    assert_ptr_equal(again, pieces[i]);
    check_piece(again, bytes, bytes >= 32 * KIB);
  }
}

static void the_extent_is_one_stretch(void **state)
{
  (void)state;
  size_t before = metadata_bytes();
  assert_non_null(metadata_allocate(MIB));
  size_t grown = metadata_bytes() - before;
  assert_in_range(grown, MIB - 64 * KIB, MIB + 128 * KIB);
  assert_int_equal(metadata_bytes(), atomic_load(&metadata_extent.bytes));
}

static void small_pieces_share_pages_as_ever(void **state)
{
  (void)state;
  char *first = metadata_allocate(64);
  char *second = metadata_allocate(64);
  assert_ptr_equal(second, first + 64);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(large_tables_lie_between_guards),
      cmocka_unit_test(the_extent_is_one_stretch),
      cmocka_unit_test(small_pieces_share_pages_as_ever),
  };
  if (test_is_in_valgrind()) return test_cannot_run("Valgrind reports what asks about guards");
  os_memory_init(0, false);
  return SUITE_RUN(tests);
}
