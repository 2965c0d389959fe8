// SPDX-License-Identifier: MIT
//
// Ranges at random places: not where they were in another process, apart from each other, and as
// usable as all; reserved, in a small address space, and where most places are taken.
#define _GNU_SOURCE 1
#include "child.h"

#include <sys/mman.h>

#include "os/memory.h"
#include "os/placement.h"

enum { RANGES = 8, CHILDREN = 40 };

// So large that they would overlap if nobody saw to it.
#define RANGE_BYTES ((size_t)1 << 42)
#define RANGE_LEAST ((size_t)1 << 36)

// What the children found.
static struct os_range (*found)[RANGES];
static size_t child_number;

static void find_ranges(void)
{
  for (size_t i = 0; i < RANGES; i++) {
    struct os_range *range = &found[child_number][i];
    CHECK(os_range_find(range, RANGE_BYTES, RANGE_LEAST, 64 * KIB));
    CHECK(is_aligned(range->start, 64 * KIB) && range->bytes >= RANGE_LEAST);
    for (size_t at = 0; at < 3; at++) {
      CHECK(os_range_commit(range, range->start + at * MIB, MIB));
      CHECK(is_zero(range->start + at * MIB, MIB));
      memset(range->start, 1, (at + 1) * MIB);
    }
  }
}

static void find_scattered(void)
{
  os_memory_init(0, false);
  os_range_scatter();
  find_ranges();
}

static void find_reserved(void)
{
  os_memory_init(0, true);
  os_range_scatter();
  find_ranges();
  for (size_t i = 0; i < RANGES; i++) CHECK(found[child_number][i].is_reserved);
}

static bool overlap(const struct os_range *a, const struct os_range *b)
{
  return a->start < b->start + b->bytes && b->start < a->start + a->bytes;
}

// All places, and all distances within a process, differ between processes. Of 2^30 places, the
// same one is drawn by any two of some dozens with a chance of 2^-16.
static void check_that_nothing_repeats(void)
{
  size_t repeated = 0;
  for (size_t i = 0; i < CHILDREN; i++) {
    for (size_t a = 0; a < RANGES; a++) {
      for (size_t b = 0; b < a; b++) assert_false(overlap(&found[i][a], &found[i][b]));
      for (size_t j = 0; j < i; j++) {
        repeated += found[i][a].start == found[j][a].start;
        repeated +=
            a > 0 && found[i][a].start - found[i][0].start == found[j][a].start - found[j][0].start;
      }
    }
  }
  assert_true(repeated <= 1);
}

static void check_scattering(void (*find)(void))
{
  size_t bytes = CHILDREN * sizeof *found;
  found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(found != MAP_FAILED);
  for (child_number = 0; child_number < CHILDREN; child_number++) child_check(find);
  check_that_nothing_repeats();
  munmap(found, bytes);
}

static void ranges_lie_apart_and_elsewhere_in_each_process(void **state)
{
  (void)state;
  check_scattering(find_scattered);
}

static void reserved_ranges_do_too(void **state)
{
  (void)state;
  check_scattering(find_reserved);
}

// The limit lets less be reserved than is wanted, and of what is not reserved only what is used.
static void find_within_limit(void)
{
  struct os_range range = {.start = NULL};
  struct os_range reserved = {.start = NULL};
  size_t most = 512 * MIB;
  os_memory_init(0, false);
  os_range_scatter();
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){most, most}) == 0);
  CHECK(os_range_find(&range, (size_t)1 << 42, (size_t)1 << 42, 64 * KIB));
  CHECK(!range.is_reserved && os_range_commit(&range, range.start, 100 * MIB));
  os_memory_init(0, true);
  CHECK(os_range_find(&reserved, (size_t)1 << 42, 16 * MIB, 64 * KIB));
  CHECK(reserved.is_reserved && reserved.bytes >= 128 * MIB && reserved.bytes <= 512 * MIB);
  CHECK(os_range_commit(&reserved, reserved.start, 100 * MIB));
}

static void a_limit_of_address_space_is_kept_to(void **state)
{
  (void)state;
  child_check(find_within_limit);
}

// Nearly everything is somebody else's: another sixteenth is free, or none is.
static void find_where_most_is_taken(void)
{
  struct os_range range = {.start = NULL};
  size_t space =
      placement_space((uintptr_t)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  for (size_t part = 2; part < 15; part++) {
    void *start = (void *)(space / 16 * part);
    bool is_left = part == 10 || part == 11 || part == 12;
    if (!is_left) CHECK(mmap(start, space / 16, PROT_NONE, flags, -1, 0) == start);
  }
  os_memory_init(0, false);
  os_range_scatter();
  for (size_t i = 0; i < 3; i++) {
    CHECK(os_range_find(&range, (size_t)1 << 30, (size_t)1 << 30, 64 * KIB));
    CHECK(os_range_commit(&range, range.start, MIB));
    memset(range.start, 1, MIB);
  }
}

static void where_hardly_a_place_is_vacant_one_is_found(void **state)
{
  (void)state;
  child_check(find_where_most_is_taken);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranges_lie_apart_and_elsewhere_in_each_process),
      cmocka_unit_test(reserved_ranges_do_too),
      cmocka_unit_test(a_limit_of_address_space_is_kept_to),
      cmocka_unit_test(where_hardly_a_place_is_vacant_one_is_found),
  };
  if (test_is_instrumented()) return test_cannot_run("a checker has tables all over the place");
  return SUITE_RUN(tests);
}
