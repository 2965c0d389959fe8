// SPDX-License-Identifier: MIT
//
// Memory for tracking's tables: zeroed, aligned, nobody else's; one table for a place, whoever
// makes it; and all of it is measured, once.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <string.h>

#include "mend/mend.h"
#include "mend/stats.h"
#include "track/record.h"
#include "track/site_table.h"
#include "track/tables.h"

enum { THREADS = 4, TABLES = 2000, PLACES = 64 };

static size_t table_bytes(size_t i)
{
  return 1 + i * 7919 % 5000;
}

static size_t all_of_it(void *pieces, uintptr_t from, uintptr_t to)
{
  (*(size_t *)pieces)++;
  return to - from;
}

static size_t pieces_now(size_t *bytes)
{
  size_t pieces = 0;
  *bytes = track_tables_measured(all_of_it, &pieces);
  return pieces;
}

static void *make_tables(void *tables)
{
  for (size_t i = 0; i < TABLES; i++) {
    unsigned char *table = ((unsigned char **)tables)[i] = track_table_allocate(table_bytes(i));
    CHECK(table != NULL && (uintptr_t)table % 64 == 0);
    for (size_t at = 0; at < table_bytes(i); at++) CHECK(table[at] == 0);
    memset(table, 1 + (int)(i % 200), table_bytes(i));
  }
  return NULL;
}

static void tables_are_empty_and_nobody_elses(void **state)
{
  (void)state;
  static unsigned char *tables[THREADS][TABLES];
  threads_run(THREADS, make_tables, tables, sizeof tables[0]);
  size_t used = 0, bytes;
  for (size_t i = 0; i < THREADS * (size_t)TABLES; i++) {
    const unsigned char *table = tables[i / TABLES][i % TABLES];
    size_t most = table_bytes(i % TABLES);
    for (size_t at = 0; at < most; at++) assert_int_equal(table[at], 1 + i % TABLES % 200);
    used += most;
  }
  assert_true(pieces_now(&bytes) >= 2 && bytes >= used && bytes < used + used / 2);
}

static void a_large_table_has_a_piece_of_its_own(void **state)
{
  (void)state;
  size_t before, bytes;
  size_t pieces = pieces_now(&before);
  unsigned char *table = track_table_allocate(2 * TRACK_PIECE_BYTES);
  assert_non_null(table);
  memset(table, 1, 2 * TRACK_PIECE_BYTES);
  assert_int_equal(pieces_now(&bytes), pieces + 1);
  assert_true(bytes >= before + 2 * TRACK_PIECE_BYTES);
  assert_null(track_table_allocate((size_t)1 << 40));
  assert_int_equal(pieces_now(&before), pieces + 1);
}

static _Atomic(void *) places[PLACES];

static void *make_all(void *found)
{
  for (size_t i = 0; i < PLACES; i++) ((void **)found)[i] = track_table_make(&places[i], 300);
  return NULL;
}

static void a_place_has_one_table(void **state)
{
  (void)state;
  void *found[THREADS][PLACES];
  threads_run(THREADS, make_all, found, sizeof found[0]);
  for (size_t i = 0; i < PLACES; i++) {
    assert_non_null(places[i]);
    for (size_t thread = 0; thread < THREADS; thread++) {
      assert_ptr_equal(found[thread][i], places[i]);
    }
  }
}

static void what_is_there_is_not_made_again(void **state)
{
  (void)state;
  assert_true(site_table_start() && record_start());
  size_t before, bytes;
  size_t pieces = pieces_now(&before);
  for (size_t i = 0; i < 100; i++) assert_true(site_table_start() && record_start());
  assert_int_equal(pieces_now(&bytes), pieces);
}

static void the_line_of_tracking_is_what_its_tables_hold(void **state)
{
  (void)state;
  struct mend_resident before = {.bytes = sizeof before}, lines = {.bytes = sizeof lines};
  size_t own = (size_t)64 << 10;
  assert_true(mend_resident_get(&before));
  // Not a byte of these is touched.
  for (size_t i = 0; i < 64; i++) assert_non_null(track_table_allocate(TRACK_PIECE_BYTES / 2));
  assert_true(mend_resident_get(&lines));
  if (lines.guessed != 0 || test_is_in_valgrind()) skip();
  assert_true(lines.metadata_bytes > 0);
  assert_true(lines.tracking_bytes < before.tracking_bytes + 64 * own);
  assert_true(lines.tracking_bytes >= before.tracking_bytes);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_are_empty_and_nobody_elses),
      cmocka_unit_test(a_large_table_has_a_piece_of_its_own),
      cmocka_unit_test(a_place_has_one_table),
      cmocka_unit_test(what_is_there_is_not_made_again),
      cmocka_unit_test(the_line_of_tracking_is_what_its_tables_hold),
  };
  return SUITE_RUN(tests);
}
