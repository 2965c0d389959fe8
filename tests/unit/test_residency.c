// SPDX-License-Identifier: MIT
//
// Which os pages hold memory: against what this program has touched, however it is asked.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/residency.h"

enum { PAGES = 3 * OS_RESIDENCY_PAGES + 100 };

static size_t page_bytes;
static unsigned char *memory;
static bool is_touched[PAGES];

static uintptr_t address(size_t page)
{
  return (uintptr_t)memory + page * page_bytes;
}

static void map_some(void)
{
  struct random random = {random_seed()};
  page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  memory =
      mmap(NULL, PAGES * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  (void)madvise(memory, PAGES * page_bytes, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < PAGES; i++) {
    is_touched[i] = random_below(&random, 3) == 0 || (i > 500 && i < 700);
    if (is_touched[i]) memory[i * page_bytes] = 1;
  }
}

static size_t expected(size_t from, size_t to)
{
  size_t bytes = 0;
  for (size_t at = from; at < to; at++) bytes += is_touched[at / page_bytes];
  return bytes;
}

static void check_all(struct os_residency *residency)
{
  struct random random = {random_seed()};
  for (size_t i = 0; i < PAGES; i++) {
    assert_int_equal(os_residency_bytes(residency, address(i), address(i + 1)),
                     is_touched[i] ? page_bytes : 0);
  }
  os_residency_limit(residency, address(PAGES));
  assert_int_equal(os_residency_bytes(residency, address(0), address(PAGES)),
                   expected(0, PAGES * page_bytes));
  // Stretches that begin and end within pages, in any order.
  for (size_t i = 0; i < 50; i++) {
    size_t from = random_below(&random, PAGES * page_bytes);
    size_t to = from + random_below(&random, PAGES * page_bytes - from);
    if (to - from > 64 * page_bytes) to = from + 64 * page_bytes;
    os_residency_limit(residency, address(PAGES));
    assert_int_equal(os_residency_bytes(residency, address(0) + from, address(0) + to),
                     expected(from, to));
  }
  assert_int_equal(os_residency_bytes(residency, address(5), address(5)), 0);
}

static void touched_pages_are_resident(void **state)
{
  (void)state;
  struct os_residency residency;
  errno = 4711;
  os_residency_begin(&residency);
  os_residency_limit(&residency, address(PAGES));
  check_all(&residency);
  os_residency_end(&residency);
  assert_int_equal(errno, 4711);
  assert_false(residency.is_guessed);
}

static void the_same_without_the_scan(void **state)
{
  (void)state;
  struct os_residency residency;
  os_residency_begin(&residency);
  if (residency.file >= 0) close(residency.file);
  residency.file = -1;
  os_residency_limit(&residency, address(PAGES));
  check_all(&residency);
  os_residency_end(&residency);
  assert_false(residency.is_guessed);
}

// A descriptor that is no such file: as if the kernel did not know the scan.
static void the_same_where_the_scan_is_refused(void **state)
{
  (void)state;
  struct os_residency residency;
  os_residency_begin(&residency);
  if (residency.file >= 0) close(residency.file);
  residency.file = dup(0);
  os_residency_limit(&residency, address(PAGES));
  check_all(&residency);
  os_residency_end(&residency);
}

// Beyond what is asked for there may be nothing.
static void a_window_over_a_hole(void **state)
{
  (void)state;
  for (int has_scan = 0; has_scan < 2; has_scan++) {
    struct os_residency residency;
    unsigned char *start =
        mmap(NULL, 64 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(start != MAP_FAILED);
    memset(start, 1, 8 * page_bytes);
    munmap(start + 8 * page_bytes, 8 * page_bytes);
    start[20 * page_bytes] = 1;
    os_residency_begin(&residency);
    if (!has_scan && residency.file >= 0) {
      close(residency.file);
      residency.file = -1;
    }
    os_residency_limit(&residency, (uintptr_t)start + 64 * page_bytes);
    uintptr_t at = (uintptr_t)start;
    assert_int_equal(os_residency_bytes(&residency, at, at + 8 * page_bytes), 8 * page_bytes);
    assert_int_equal(os_residency_bytes(&residency, at + 16 * page_bytes, at + 64 * page_bytes),
                     page_bytes);
    assert_false(residency.is_guessed);
    os_residency_end(&residency);
    munmap(start, 8 * page_bytes);
    munmap(start + 16 * page_bytes, 48 * page_bytes);
  }
}

static void where_nobody_tells_everything_counts(void **state)
{
  (void)state;
  struct os_residency residency;
  char *gone = mmap(NULL, 4 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(gone != MAP_FAILED);
  munmap(gone, 4 * page_bytes);
  os_residency_begin(&residency);
  if (residency.file >= 0) close(residency.file);
  residency.file = -1;
  os_residency_limit(&residency, (uintptr_t)gone + 4 * page_bytes);
  assert_int_equal(
      os_residency_bytes(&residency, (uintptr_t)gone, (uintptr_t)gone + 4 * page_bytes),
      4 * page_bytes);
  assert_true(residency.is_guessed);
  os_residency_end(&residency);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(touched_pages_are_resident),
      cmocka_unit_test(the_same_without_the_scan),
      cmocka_unit_test(the_same_where_the_scan_is_refused),
      cmocka_unit_test(a_window_over_a_hole),
      cmocka_unit_test(where_nobody_tells_everything_counts),
  };
  map_some();
  return SUITE_RUN(tests);
}
