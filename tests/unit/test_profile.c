// SPDX-License-Identifier: MIT
//
// Profiles: the sums of what is in use and was allocated, exact and estimated, and free memory that
// is shared among the blocks which keep it.
#define _GNU_SOURCE 1
#include "core/upkeep.h"
#include "tracked.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "track/profile.h"
#include "track/site_table.h"
#include "track/track_file.h"
#include "track/weight.h"

struct row {
  uint64_t live_samples, live_sampled_bytes, total_samples, total_sampled_bytes;
  uint64_t live_count, live_bytes, total_count, total_bytes;
  uint64_t sparse_bytes;
};

static char text[1 << 20];

static void write_text(void)
{
  int file = memfd_create("profile", MFD_CLOEXEC);
  CHECK(file >= 0 && track_file_acquire(true) && profile_write(file));
  ssize_t length = pread(file, text, sizeof text - 1, 0);
  CHECK(length > 0);
  text[length] = '\0';
  close(file);
}

// The sums of all sites.
static struct row all_rows(void)
{
  struct row sums = {0};
  write_text();
  for (const char *at = strstr(text, "\nsite "); at != NULL; at = strstr(at + 1, "\nsite ")) {
    uint64_t values[10];
    int length = 0;
    const char *from = at + 5;
    for (size_t i = 0; i < 10; i++, from += length) {
      CHECK(sscanf(from, " %ju%n", &values[i], &length) == 1);
    }
    for (size_t i = 0; i < 9; i++) ((uint64_t *)&sums)[i] += values[i + 1];
  }
  return sums;
}

static struct row difference(struct row after, struct row before)
{
  for (size_t i = 0; i < 9; i++) ((uint64_t *)&after)[i] -= ((uint64_t *)&before)[i];
  return after;
}

enum { BLOCKS = 1000 };

static void exact_sums_are_exact(void **state)
{
  (void)state;
  static void *blocks[BLOCKS];
  assert_true(tracker_start(TRACKER_EXACT, 1));
  struct row before = all_rows();
  size_t bytes = 0;
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = tracked_allocate(i * 37 + 1);
    bytes += i * 37 + 1;
  }
  struct row full = difference(all_rows(), before);
  assert_int_equal(full.live_samples, BLOCKS);
  assert_int_equal(full.live_count, BLOCKS);
  assert_int_equal(full.live_bytes, bytes);
  assert_int_equal(full.live_sampled_bytes, bytes);
  assert_int_equal(full.total_count, BLOCKS);
  assert_int_equal(full.total_bytes, bytes);
  for (size_t i = 0; i < BLOCKS; i++) tracked_free(blocks[i]);
  struct row empty = difference(all_rows(), before);
  assert_int_equal(empty.live_count, 0);
  assert_int_equal(empty.live_bytes, 0);
  assert_int_equal(empty.sparse_bytes, 0);
  assert_int_equal(empty.total_samples, BLOCKS);
  assert_int_equal(empty.total_bytes, bytes);
  tracker_stop();
  assert_int_equal(difference(all_rows(), before).total_bytes, bytes);
}

static void a_sample_counts_for_many(void **state)
{
  (void)state;
  assert_true(tracker_start(TRACKER_SAMPLED, 100000));
  struct row before = all_rows();
  void *block = tracked_allocate(1000);
  double weight = weight_of_sample(tracked_page(block)->block_bytes, 100000);
  struct row sums = difference(all_rows(), before);
  assert_int_equal(sums.live_samples, 1);
  assert_int_equal(sums.live_sampled_bytes, 1000);
  assert_int_equal(sums.live_count, (uint64_t)(weight + 0.5));
  assert_int_equal(sums.live_bytes, (uint64_t)(weight * 1000 + 0.5));
  assert_int_equal(sums.total_count, sums.live_count);
  // Under another interval what was sampled before counts as before.
  assert_true(tracker_start(TRACKER_SAMPLED, 5000));
  assert_int_equal(difference(all_rows(), before).live_count, sums.live_count);
  tracked_free(block);
  assert_int_equal(difference(all_rows(), before).live_count, 0);
  assert_int_equal(difference(all_rows(), before).total_count, sums.total_count);
  tracker_stop();
}

// All blocks of a page are out; then all but one are given back, which keeps the others' memory.
static void who_keeps_a_page_has_its_free_memory(void **state)
{
  (void)state;
  enum { SIZE = 2048, MOST = 64 };
  static void *blocks[MOST];
  assert_true(tracker_start(TRACKER_EXACT, 1));
  struct row before = all_rows();
  for (size_t i = 0; i < MOST; i++) blocks[i] = tracked_allocate(SIZE);
  uint64_t full = difference(all_rows(), before).sparse_bytes;
  struct page *page = tracked_page(blocks[MOST / 2]);
  size_t left = 0;
  for (size_t i = 0; i < MOST; i++) {
    if (tracked_page(blocks[i]) == page && left++ == 0) continue;
    tracked_free(blocks[i]);
    blocks[i] = NULL;
  }
  (void)upkeep_collect(false);
  uint64_t sparse = difference(all_rows(), before).sparse_bytes;
  // The page has all blocks but one free.
  size_t expected = (page->carved - 1) * page->block_bytes;
  assert_true(sparse >= expected && sparse <= page_run_bytes(page));
  if (!TEST_IS_WASTEFUL) assert_true(full < sparse);
  for (size_t i = 0; i < MOST; i++) {
    if (blocks[i] != NULL) tracked_free(blocks[i]);
  }
  tracker_stop();
}

static void what_was_not_remembered_is_told(void **state)
{
  (void)state;
  write_text();
  assert_null(strstr(text, "\nlost "));
  void *block = tracked_take(100);
  page_set_kind(tracked_page(block), PAGE_NONE);  // nobody's: has no records
  struct page *page = tracked_page(block);
  assert_true(tracker_start(TRACKER_EXACT, 1));
  assert_false(tracker_add(page, block, 100, NULL, KIND_MALLOC));
  write_text();
  assert_non_null(strstr(text, "\nlost 0 1\n"));
  tracker_stop();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_sums_are_exact),
      cmocka_unit_test(a_sample_counts_for_many),
      cmocka_unit_test(who_keeps_a_page_has_its_free_memory),
      cmocka_unit_test(what_was_not_remembered_is_told),
  };
  return SUITE_RUN(tests);
}
