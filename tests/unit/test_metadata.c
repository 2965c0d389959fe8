// SPDX-License-Identifier: MIT
//
// Memory for the allocator's own structures: zeroed, aligned, apart, and used again.
#define _GNU_SOURCE 1
#include "child.h"

#include <pthread.h>
#include <sys/mman.h>

#include "core/metadata.h"

enum { PIECES = 300, ROUNDS = 20000, THREADS = 4 };

static size_t held_bytes(size_t bytes)
{
  size_t held = 16;
  while (held < bytes) held *= 2;
  return held;
}

static void pieces_are_zeroed_and_aligned_to_their_size(void **state)
{
  (void)state;
  for (size_t bytes = 1; bytes <= 100000; bytes = bytes * 5 / 4 + 1) {
    char *piece = metadata_allocate(bytes);
    assert_non_null(piece);
    assert_true(is_aligned(piece, held_bytes(bytes) < 4096 ? held_bytes(bytes) : 4096));
    assert_true(is_zero(piece, held_bytes(bytes)));
    memset(piece, 0xff, bytes);
  }
}

static void pieces_do_not_overlap(void **state)
{
  (void)state;
  static char *pieces[PIECES];
  static size_t sizes[PIECES];
  struct random random = {random_seed()};
  for (size_t i = 0; i < PIECES; i++) {
    sizes[i] = random_size(&random, 20000);
    pieces[i] = metadata_allocate(sizes[i]);
    pattern_fill(pieces[i], sizes[i], i);
  }
  for (size_t i = 0; i < PIECES; i++) {
    assert_int_equal(pattern_difference(pieces[i], sizes[i], i), sizes[i]);
    metadata_free(pieces[i], sizes[i]);
  }
}

static void a_piece_that_was_given_back_serves_its_size_again_zeroed(void **state)
{
  (void)state;
  for (size_t bytes = 16; bytes <= 65536; bytes *= 2) {
    char *piece = metadata_allocate(bytes);
    memset(piece, 0xff, bytes);
    metadata_free(piece, bytes);
    char *other = metadata_allocate(4 * bytes);
    assert_ptr_not_equal(other, piece);
    char *again = metadata_allocate(bytes / 2 + 1);
    assert_ptr_equal(again, piece);
    assert_true(is_zero(again, bytes));
    metadata_free(again, bytes);
    metadata_free(other, 4 * bytes);
  }
}

static void all_of_it_lies_in_the_extent_that_is_told(void **state)
{
  (void)state;
  size_t before = metadata_bytes();
  for (size_t i = 0; i < 10; i++) {
    char *piece = metadata_allocate(512 * KIB);
    assert_true(piece >= metadata_extent.start);
    assert_true(piece + 512 * KIB <= metadata_extent.start + metadata_extent.bytes);
  }
  assert_int_equal(metadata_bytes(), metadata_extent.bytes);
  assert_true(metadata_bytes() >= before + 10 * 512 * KIB);
}

static void a_piece_may_be_where_there_is_room_for_it(void **state)
{
  (void)state;
  char *piece = metadata_allocate(1000);
  assert_non_null(piece);
  assert_true(metadata_may_hold(piece, 1000));
  assert_false(metadata_may_hold(piece + 512, 1000));
  assert_false(metadata_may_hold(piece + 512, 5000));
  assert_false(metadata_may_hold(metadata_extent.start - 1024, 1000));
  size_t end = atomic_load(&metadata_extent.bytes);
  assert_true(metadata_may_hold(metadata_extent.start + end - 1024, 1000));
  assert_false(metadata_may_hold(metadata_extent.start + end, 1000));
  assert_false(metadata_may_hold(NULL, 1000) || metadata_may_hold(&end, 1000));
}

static void what_is_too_large_is_refused(void **state)
{
  (void)state;
  char *largest = metadata_allocate(8 * MIB);
  assert_non_null(largest);
  largest[0] = 1;
  largest[8 * MIB - 1] = 1;
  metadata_free(largest, 8 * MIB);
  assert_null(metadata_allocate(8 * MIB + 1));
  assert_null(metadata_allocate((size_t)1 << 40));
}

// Somebody's mapping lies right behind what is accessible, and another one further up.
static void check_others_mappings(void)
{
  char *end = metadata_extent.start + metadata_extent.bytes;
  size_t before = metadata_bytes();
  for (size_t i = 0; i < 2; i++) {
    char *theirs = mmap(end + i * 3 * MIB, 64 * KIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (theirs != end + i * 3 * MIB) return;  // the range is reserved
  }
  for (size_t i = 0; i < 40; i++) {
    char *piece = metadata_allocate(512 * KIB);
    CHECK(piece != NULL && is_zero(piece, 512 * KIB));
    memset(piece, 1, 512 * KIB);
  }
  CHECK(end[0] == 0 && end[3 * MIB] == 0);
  CHECK(metadata_bytes() >= before + 38 * 512 * KIB && metadata_bytes() <= before + 22 * MIB);
  CHECK(metadata_extent.start + metadata_extent.bytes > end + 3 * MIB);
}

static void others_mappings_are_stepped_over(void **state)
{
  (void)state;
  metadata_free(metadata_allocate(16), 16);
  child_check(check_others_mappings);
}

static void churn_for(void *seed, size_t rounds)
{
  struct random random = {(uintptr_t)seed};
  char *pieces[16] = {NULL};
  for (size_t i = 0; i < rounds; i++) {
    size_t which = random_below(&random, 16);
    size_t bytes = 16 * (which + 1);
    if (pieces[which] != NULL) {
      CHECK(pattern_difference(pieces[which], bytes, (uintptr_t)seed) == bytes);
      metadata_free(pieces[which], bytes);
    }
    pieces[which] = metadata_allocate(bytes);
    CHECK(pieces[which] != NULL && is_zero(pieces[which], bytes));
    pattern_fill(pieces[which], bytes, (uintptr_t)seed);
  }
  for (size_t which = 0; which < 16; which++) {
    if (pieces[which] != NULL) metadata_free(pieces[which], 16 * (which + 1));
  }
}

static void *churn(void *seed)
{
  churn_for(seed, test_scaled(ROUNDS));
  return NULL;
}

static void threads_share_it(void **state)
{
  (void)state;
  static char seeds[THREADS];
  threads_run(THREADS, churn, seeds, 1);
  size_t before = metadata_bytes();
  threads_run(THREADS, churn, seeds, 1);
  // What they need was given back the first time, but for what fewer of them held at once then.
  assert_in_range(metadata_bytes(), before, before + THREADS * ((size_t)64 << 10));
}

static _Atomic(bool) is_over;

static void *churn_until_over(void *seed)
{
  while (!atomic_load(&is_over)) churn_for(seed, 100);
  return NULL;
}

static void check_child(void)
{
  metadata_after_fork();
  churn_for(&is_over, 500);
  for (size_t bytes = 16; bytes <= 4 * MIB; bytes *= 2) {
    char *piece = metadata_allocate(bytes);
    CHECK(piece != NULL && is_zero(piece, bytes));
    memset(piece, 1, bytes);
    metadata_free(piece, bytes);
  }
}

static void it_serves_a_child_that_was_forked_amid_others_work(void **state)
{
  (void)state;
  pthread_t threads[2];
  static char seeds[2];
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, churn_until_over, &seeds[i]), 0);
  }
  for (size_t i = 0; i < test_scaled(20); i++) child_check(check_child);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces_are_zeroed_and_aligned_to_their_size),
      cmocka_unit_test(pieces_do_not_overlap),
      cmocka_unit_test(a_piece_that_was_given_back_serves_its_size_again_zeroed),
      cmocka_unit_test(all_of_it_lies_in_the_extent_that_is_told),
      cmocka_unit_test(a_piece_may_be_where_there_is_room_for_it),
      cmocka_unit_test(what_is_too_large_is_refused),
      cmocka_unit_test(others_mappings_are_stepped_over),
      cmocka_unit_test(threads_share_it),
      cmocka_unit_test(it_serves_a_child_that_was_forked_amid_others_work),
  };
  return SUITE_RUN(tests);
}
