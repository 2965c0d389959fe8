// SPDX-License-Identifier: MIT
//
// The lines of resident memory, where the kernel's answers are played by the test: every os page
// holds memory, or none does, or every other. (tests/api/test_resident.c has the kernel's own.)
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <string.h>

#include "base/bits.h"
#include "core/chunk.h"
#include "core/metadata.h"
#include "mend/mend.h"
#include "os/memory.h"
#include "os/residency.h"
#include "stats/resident.h"
#include "stats/stats.h"

static unsigned share;  // of all os pages hold memory: all, none (0), every second (2)
static bool is_begun;

INTERNAL void os_residency_begin(struct os_residency *residency)
{
  CHECK(!is_begun);
  is_begun = true;
  memset(residency, 0, sizeof *residency);
}

INTERNAL void os_residency_end(struct os_residency *residency)
{
  (void)residency;
  CHECK(is_begun);
  is_begun = false;
}

INTERNAL void os_residency_limit(struct os_residency *residency, uintptr_t limit)
{
  residency->limit = limit;
}

INTERNAL size_t os_residency_bytes(struct os_residency *residency, uintptr_t from, uintptr_t to)
{
  CHECK(is_begun && from <= to && to <= residency->limit);
  if (share < 2) return share * (to - from);
  size_t bytes = 0;
  for (uintptr_t at = from; at < to;) {
    uintptr_t end = bits_smaller((at | (os_page_bytes() - 1)) + 1, to);
    if (at / os_page_bytes() % 2 == 0) bytes += end - at;
    at = end;
  }
  return bytes;
}

static size_t sum_of(const struct mend_resident *lines)
{
  return lines->live_bytes + lines->rounding_bytes + lines->cached_bytes + lines->quarantine_bytes +
         lines->free_bytes + lines->uncarved_bytes + lines->rest_bytes + lines->retained_bytes +
         lines->secret_bytes + lines->handle_bytes + lines->tracking_bytes +
         lines->descriptor_bytes + lines->metadata_bytes;
}

static void *blocks[1000];

static void allocate_some(void)
{
  for (size_t i = 0; i < 1000; i++) blocks[i] = mend_malloc(1 + i * 97 % 60000);
  for (size_t i = 0; i < 1000; i += 2) {
    mend_free(blocks[i]);
    blocks[i] = NULL;
  }
  blocks[0] = mend_malloc(1000000);
}

static void free_all(void)
{
  for (size_t i = 0; i < 1000; i++) mend_free(blocks[i]);
  mend_collect(true);
}

static void if_all_is_resident_the_lines_are_the_statistics(void **state)
{
  (void)state;
  struct mend_resident lines;
  allocate_some();
  share = 1;
  assert_true(resident_measure(&lines));
  struct mend_stats stats = stats_collect(NULL);
  struct chunk_statistics region_stats = chunk_statistics();
  assert_int_equal(lines.live_bytes, stats.live_bytes);
  assert_int_equal(lines.cached_bytes, stats.cached_bytes);
  assert_int_equal(lines.free_bytes + lines.cached_bytes, stats.free_bytes);
  assert_int_equal(lines.uncarved_bytes, stats.uncarved_bytes);
  assert_int_equal(lines.rest_bytes, stats.rest_bytes);
  assert_int_equal(lines.descriptor_bytes, region_stats.table_bytes);
  assert_true(lines.metadata_bytes >= metadata_bytes());
  assert_int_equal(lines.live_bytes + lines.free_bytes + lines.cached_bytes + lines.uncarved_bytes +
                       lines.rest_bytes + lines.retained_bytes,
                   region_stats.reached_bytes);
  assert_int_equal(lines.total_bytes, sum_of(&lines));
  free_all();
}

static void if_nothing_is_resident_all_lines_are_0(void **state)
{
  (void)state;
  struct mend_resident lines;
  allocate_some();
  share = 0;
  assert_true(resident_measure(&lines));
  // Small blocks in bins are linked through themselves: but no line takes more than there is.
  assert_int_equal(lines.total_bytes, 0);
  assert_int_equal(sum_of(&lines), 0);
  assert_int_equal(lines.returned_bytes, stats_collect(NULL).committed_bytes);
  free_all();
}

static void of_half_resident_pages_the_lines_add_up(void **state)
{
  (void)state;
  struct mend_resident lines;
  allocate_some();
  share = 2;
  assert_true(resident_measure(&lines));
  assert_int_equal(lines.total_bytes, sum_of(&lines));
  struct mend_stats stats = stats_collect(NULL);
  assert_true(lines.live_bytes <= stats.live_bytes);
  assert_true(lines.live_bytes > 0 && lines.total_bytes > stats.live_bytes / 3);
  free_all();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(if_all_is_resident_the_lines_are_the_statistics),
      cmocka_unit_test(if_nothing_is_resident_all_lines_are_0),
      cmocka_unit_test(of_half_resident_pages_the_lines_add_up),
  };
  return SUITE_RUN(tests);
}
