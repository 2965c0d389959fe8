// SPDX-License-Identifier: MIT
//
// Address space: each call against what the kernel itself then says of the mappings, in ranges that
// are reserved and in ranges that are claimed piece by piece.
#define _GNU_SOURCE 1
#include "child.h"

#include <inttypes.h>
#include <sys/mman.h>

#include "os/memory.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define RANGE_BYTES (64 * MIB)

struct mapping {
  uintptr_t start;  // 0: nothing is mapped there
  uintptr_t end;
  char protection[5];
};

// What the kernel says is mapped at an address.
static struct mapping mapping_at(const void *address)
{
  struct mapping mapping;
  char line[512];
  FILE *file = fopen("/proc/self/maps", "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &mapping.start, &mapping.end,
               mapping.protection) != 3) {
      continue;
    }
    if ((uintptr_t)address >= mapping.start && (uintptr_t)address < mapping.end) break;
    mapping.start = 0;
  }
  fclose(file);
  return mapping;
}

static bool is_accessible(const void *address)
{
  struct mapping mapping = mapping_at(address);
  return mapping.start != 0 && mapping.protection[0] == 'r' && mapping.protection[1] == 'w';
}

static struct os_range reserve(size_t bytes, size_t alignment)
{
  struct os_range range = {.start = NULL};
  CHECK(os_range_find(&range, bytes, bytes, alignment));
  CHECK(range.bytes == bytes && is_aligned(range.start, alignment));
  return range;
}

// Memory to work on.
static char *committed(size_t bytes)
{
  struct os_range range = reserve(RANGE_BYTES, 2 * MIB);
  CHECK(os_range_commit(&range, range.start, bytes));
  return range.start;
}

static void the_os_page_is_the_kernels_or_a_larger_pretended_one(void **state)
{
  (void)state;
  size_t real = (size_t)sysconf(_SC_PAGESIZE);
  static const size_t ignored[] = {0, 1, 512, 3000, 5000, 70000};
  for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
    os_memory_init(ignored[i], false);
    assert_int_equal(os_page_bytes(), real);
  }
  for (size_t pretended = real; pretended <= 64 * KIB; pretended *= 2) {
    os_memory_init(pretended, false);
    assert_int_equal(os_page_bytes(), pretended);
  }
  os_memory_init(0, false);
}

static void check_ranges(void)
{
  size_t page = os_page_bytes();
  for (size_t alignment = page; alignment <= 16 * MIB; alignment *= 4) {
    struct os_range range = reserve(RANGE_BYTES, alignment);
    CHECK(!is_accessible(range.start) && !is_accessible(range.start + RANGE_BYTES - 1));
    for (size_t at = 0; at < 8 * page; at += 2 * page) {
      CHECK(os_range_commit(&range, range.start + at, 2 * page));
      CHECK(is_zero(range.start + at, 2 * page));
      memset(range.start, 1, at + 2 * page);
      CHECK(!is_accessible(range.start + at + 2 * page));
    }
  }
}

static void a_range_is_accessible_as_far_as_it_was_committed(void **state)
{
  (void)state;
  check_ranges();
}

static void check_reserved_ranges(void)
{
  os_memory_init(0, true);
  check_ranges();
  struct os_range range = reserve(RANGE_BYTES, MIB);
  CHECK(range.is_reserved);
  CHECK(mapping_at(range.start).start != 0);  // nobody else can be given these addresses
  CHECK(mapping_at(range.start + RANGE_BYTES - 1).start != 0);
}

static void a_range_can_be_reserved(void **state)
{
  (void)state;
  child_check(check_reserved_ranges);
}

static void check_halving(void)
{
  struct os_range range = {.start = NULL};
  os_memory_init(0, true);
  CHECK(os_range_find(&range, (size_t)1 << 56, MIB, MIB));
  CHECK(range.is_reserved && range.bytes >= MIB && range.bytes < (size_t)1 << 56);
  CHECK(((size_t)1 << 56) % range.bytes == 0);
  struct os_range second = {.start = NULL};
  CHECK(!os_range_find(&second, (size_t)1 << 56, (size_t)1 << 56, MIB));
}

static void a_range_that_is_too_large_is_halved_down_to_the_least(void **state)
{
  (void)state;
  child_check(check_halving);
}

static void ranges_do_not_overlap(void **state)
{
  enum { COUNT = 8 };
  (void)state;
  struct os_range ranges[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    ranges[i] = reserve(RANGE_BYTES, 2 * MIB);
    assert_true(os_range_commit(&ranges[i], ranges[i].start, RANGE_BYTES));
    for (size_t j = 0; j < i; j++) {
      assert_true(ranges[i].start + RANGE_BYTES <= ranges[j].start ||
                  ranges[j].start + RANGE_BYTES <= ranges[i].start);
    }
  }
}

static void what_is_committed_in_steps_is_one_mapping(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  for (size_t at = 0; at < 16 * MIB; at += MIB) {
    assert_true(os_range_commit(&range, range.start + at, MIB));
  }
  struct mapping mapping = mapping_at(range.start);
  assert_true(mapping.start <= (uintptr_t)range.start);
  assert_true(mapping.end >= (uintptr_t)range.start + 16 * MIB);
}

static char *map_theirs(char *where, size_t bytes)
{
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  char *theirs = mmap(where, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  CHECK(theirs == where);
  memset(theirs, 0x77, bytes);
  return theirs;
}

static void a_place_that_somebody_took_first_is_left_alone(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  if (range.is_reserved) return;  // then nobody can have
  assert_true(os_range_commit(&range, range.start, MIB));
  char *theirs = map_theirs(range.start + MIB, MIB);
  assert_false(os_range_commit(&range, theirs, MIB));
  assert_int_equal(theirs[0], 0x77);
  assert_int_equal(theirs[MIB - 1], 0x77);
  assert_true(os_range_commit(&range, theirs + MIB, MIB));
  munmap(theirs, MIB);
  assert_true(os_range_commit(&range, theirs, MIB));
}

static void a_range_is_claimed_by_its_first_page(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  assert_true(mapping_at(range.start).start != 0);
  assert_true(range.is_reserved || mapping_at(range.start + os_page_bytes()).start == 0);
  assert_true(os_range_commit(&range, range.start, os_page_bytes()));
  assert_true(is_zero(range.start, os_page_bytes()));
  memset(range.start, 1, os_page_bytes());
}

static void where_somebody_is_in_the_way_a_place_behind_is_found(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  assert_int_equal(os_range_find_vacant(&range, 0, MIB, 64 * KIB), 0);
  if (range.is_reserved) return;
  char *first = map_theirs(range.start + 5 * MIB + 64 * KIB, MIB);
  char *second = map_theirs(range.start + 8 * MIB, 20 * MIB);
  assert_int_equal(os_range_find_vacant(&range, 0, MIB, 64 * KIB), 0);
  assert_int_equal(os_range_find_vacant(&range, 5 * MIB, 64 * KIB, 64 * KIB), 5 * MIB);
  assert_int_equal(os_range_find_vacant(&range, 5 * MIB, MIB, 64 * KIB), 6 * MIB + 64 * KIB);
  assert_int_equal(os_range_find_vacant(&range, 5 * MIB, 4 * MIB, 64 * KIB), 28 * MIB);
  assert_int_equal(os_range_find_vacant(&range, 10 * MIB, 36 * MIB, 64 * KIB), 28 * MIB);
  assert_true(os_range_find_vacant(&range, 10 * MIB, 40 * MIB, 64 * KIB) == SIZE_MAX);
  munmap(first, MIB);
  munmap(second, 20 * MIB);
}

static void what_was_committed_last_can_be_taken_back(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  for (size_t i = 0; i < 2; i++) {
    char *start = range.start + i * MIB;
    assert_true(os_range_commit(&range, start, MIB));
    os_range_take_back(&range, start, MIB);
    assert_false(is_accessible(start + os_page_bytes()));
    assert_true(os_range_commit(&range, start, MIB));
    memset(start, 1, MIB);
  }
}

static void a_commit_that_nobody_wrote_down_is_taken_back(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  assert_true(os_range_commit(&range, range.start, MIB));
  memset(range.start, 1, MIB);
  os_range_settle(&range, MIB);  // nothing was under way
  assert_int_equal(range.start[MIB - 1], 1);
  assert_true(os_range_commit(&range, range.start + MIB, MIB));
  if (range.is_reserved) return;
  os_range_settle(&range, MIB);
  assert_int_equal(mapping_at(range.start + MIB).start, 0);
  assert_int_equal(range.start[MIB - 1], 1);
  assert_true(os_range_commit(&range, range.start + MIB, MIB));
}

// A fork has copied the range right before the kernel was asked, or after it has refused.
static void a_commit_that_was_not_made_takes_nothing_from_others(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  if (range.is_reserved) return;
  assert_true(os_range_commit(&range, range.start, MIB));
  char *theirs = map_theirs(range.start + 2 * MIB, MIB);
  atomic_store(&range.begun_at, MIB);
  atomic_store(&range.begun_bytes, 4 * MIB);
  os_range_settle(&range, MIB);
  assert_int_equal(theirs[0] + theirs[MIB - 1], 2 * 0x77);
  assert_false(os_range_commit(&range, range.start + MIB, 2 * MIB));
  assert_int_equal(theirs[0] + theirs[MIB - 1], 2 * 0x77);
  assert_true(os_range_commit(&range, range.start + MIB, MIB));
  munmap(theirs, MIB);
}

// Where the next range would lie, and some more.
static void a_hole_that_somebody_has_taken_a_part_of_is_left(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, MIB);
  if (range.is_reserved) return;
  char *theirs = map_theirs(range.start + RANGE_BYTES + RANGE_BYTES / 2, os_page_bytes());
  struct os_range next = reserve(RANGE_BYTES, MIB);
  assert_false(next.is_reserved);
  assert_true(next.start > theirs || next.start + RANGE_BYTES <= theirs);
  munmap(theirs, os_page_bytes());
}

static size_t address_space_in_use(void)
{
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  CHECK(file != NULL && fscanf(file, "%zu", &pages) == 1);
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void check_limited_address_space(void)
{
  size_t most = address_space_in_use() + 64 * MIB;
  struct os_range range = {.start = NULL};
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){most, most}) == 0);
  CHECK(os_range_find(&range, (size_t)1 << 42, 16 * MIB, 2 * MIB));
  size_t got = 0;
  while (os_range_commit(&range, range.start + got, MIB)) got += MIB;
  CHECK(got >= 48 * MIB && got <= 64 * MIB);
  CHECK(is_zero(range.start, got));
  memset(range.start, 1, got);
  CHECK(!os_range_commit(&range, range.start + got, MIB));
}

static void under_a_limit_of_address_space_only_what_is_committed_counts(void **state)
{
  (void)state;
  if (reserve(RANGE_BYTES, MIB).is_reserved) return;  // a checker is in the way
  child_check(check_limited_address_space);
}

static void purged_memory_is_zero_and_stays_usable(void **state)
{
  (void)state;
  size_t page = os_page_bytes();
  char *start = committed(MIB);
  memset(start, 1, MIB);
  os_memory_purge(start + page, MIB - 2 * page);
  assert_int_equal(start[page - 1], 1);
  assert_true(is_zero(start + page, MIB - 2 * page));
  assert_int_equal(start[MIB - page], 1);
  memset(start, 2, MIB);
}

static void what_is_resident_is_told_by_a_sample(void **state)
{
  (void)state;
  size_t bytes = 128 * os_page_bytes();
  char *start = committed(bytes);
  assert_int_equal(os_memory_resident_bytes(start, bytes), 0);
  memset(start, 1, bytes / 2);
  assert_int_equal(os_memory_resident_bytes(start, bytes), bytes / 2);
  memset(start, 1, bytes);
  assert_int_equal(os_memory_resident_bytes(start, bytes), bytes);
  assert_int_equal(os_memory_resident_bytes(start, os_page_bytes()), os_page_bytes());
  os_memory_purge(start, bytes);
  assert_int_equal(os_memory_resident_bytes(start, bytes), 0);
}

static void locked_memory_is_purged_too(void **state)
{
  (void)state;
  size_t page = os_page_bytes();
  char *start = committed(MIB);
  assert_int_equal(mlock(start, 8 * page), 0);
  memset(start, 1, 8 * page);
  os_memory_purge(start, 8 * page);
  assert_true(is_zero(start, 8 * page));
  memset(start, 2, 8 * page);
}

static void renewed_memory_is_zero_and_one_mapping_again(void **state)
{
  (void)state;
  char *start = committed(16 * MIB);
  memset(start, 1, 16 * MIB);
  assert_int_equal(madvise(start + 4 * MIB, 4 * MIB, MADV_DONTFORK), 0);
  assert_true(mapping_at(start).end < (uintptr_t)start + 16 * MIB);
  assert_true(os_memory_renew(start + 4 * MIB, 4 * MIB));
  assert_true(is_zero(start + 4 * MIB, 4 * MIB));
  assert_int_equal(start[4 * MIB - 1], 1);
  assert_int_equal(start[8 * MIB], 1);
  memset(start, 2, 16 * MIB);
  if (test_is_instrumented()) return;  // these map without MAP_NORESERVE, which is another kind
  assert_true(mapping_at(start).end >= (uintptr_t)start + 16 * MIB);
}

// Whether the kernel can move pages and leave their addresses behind, tried without the library.
static bool kernel_moves(void)
{
  size_t page = os_page_bytes();
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *from = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, flags, -1, 0);
  CHECK(from != MAP_FAILED);
  int move = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
  bool moves = mremap(from, page, page, move, from + page) == from + page;
  munmap(from, 2 * page);
  return moves;
}

static void moved_pages_leave_zeros_behind_or_are_not_moved_at_all(void **state)
{
  (void)state;
  char *start = committed(8 * MIB);
  char *to = start + 4 * MIB;
  pattern_fill(start, 2 * MIB, 5);
  memset(to, 1, 4 * MIB);
  bool is_moved = os_memory_move(start + MIB, to, MIB) == OS_MOVED;
  assert_int_equal(is_moved, kernel_moves());
  assert_int_equal(pattern_difference(start, MIB, 5), MIB);
  assert_int_equal(to[MIB], 1);
  if (!is_moved) {
    assert_int_equal(pattern_difference(start, 2 * MIB, 5), 2 * MIB);
    return;
  }
  assert_true(is_zero(start + MIB, MIB));
  memmove(start + MIB, to, MIB);  // both sides are usable
  assert_int_equal(pattern_difference(start, 2 * MIB, 5), 2 * MIB);
}

// Under a limit below what is in use the kernel unmaps the target, refuses the move, and the
// mapping of the target as well.
static void check_refused_move(void)
{
  char *start = committed(8 * MIB);
  pattern_fill(start, MIB, 5);
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){MIB, MIB}) == 0);
  bool is_refused = os_memory_move(start, start + 4 * MIB, MIB) == OS_REFUSED;
  CHECK(pattern_difference(is_refused ? start : start + 4 * MIB, MIB, 5) == MIB);
  memset(start, 2, MIB);
}

static void a_move_that_is_refused_leaves_the_contents_where_they_were(void **state)
{
  (void)state;
  if (test_is_instrumented()) skip();  // the checker itself needs address space
  child_check(check_refused_move);
}

static void huge_pages_are_granted_as_the_kernel_grants_them(void **state)
{
  (void)state;
  char *start = committed(8 * MIB);
  bool is_granted = madvise(start, 2 * MIB, MADV_HUGEPAGE) == 0;
  memset(start, 3, 8 * MIB);
  assert_int_equal(os_memory_advise_huge(start + 4 * MIB, 2 * MIB), is_granted);
  assert_int_equal(start[0] + start[4 * MIB] + start[8 * MIB - 1], 9);
}

static void sealed_memory_can_be_read(void **state)
{
  (void)state;
  struct os_range range = reserve(RANGE_BYTES, 1);
  char *start = range.start;
  assert_true(os_range_commit(&range, start, 3 * os_page_bytes()));
  start[os_page_bytes()] = 'x';
  assert_true(os_memory_seal(start + os_page_bytes(), os_page_bytes()));
  assert_int_equal(start[os_page_bytes()], 'x');
  assert_string_equal(mapping_at(start + os_page_bytes()).protection, "r--p");
  assert_true(is_accessible(start) && is_accessible(start + 2 * os_page_bytes()));
  assert_true(os_memory_permit(start + os_page_bytes(), os_page_bytes()));
  assert_true(is_accessible(start + os_page_bytes()));
}

static void every_system_call_is_counted(void **state)
{
  (void)state;
  size_t before = os_memory_call_count();
  char *start = committed(8 * MIB);
  size_t after_commit = os_memory_call_count();
  assert_true(after_commit >= before + 2);
  os_memory_purge(start, MIB);
  assert_int_equal(os_memory_call_count(), after_commit + 1);
  assert_true(os_memory_renew(start, MIB));
  (void)os_memory_move(start, start + MIB, MIB);
  (void)os_memory_advise_huge(start, 2 * MIB);
  assert_true(os_memory_call_count() >= after_commit + 4);  // more where a move is refused
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_os_page_is_the_kernels_or_a_larger_pretended_one),
      cmocka_unit_test(a_range_is_accessible_as_far_as_it_was_committed),
      cmocka_unit_test(a_range_can_be_reserved),
      cmocka_unit_test(a_range_that_is_too_large_is_halved_down_to_the_least),
      cmocka_unit_test(ranges_do_not_overlap),
      cmocka_unit_test(what_is_committed_in_steps_is_one_mapping),
      cmocka_unit_test(a_place_that_somebody_took_first_is_left_alone),
      cmocka_unit_test(a_range_is_claimed_by_its_first_page),
      cmocka_unit_test(a_hole_that_somebody_has_taken_a_part_of_is_left),
      cmocka_unit_test(where_somebody_is_in_the_way_a_place_behind_is_found),
      cmocka_unit_test(what_was_committed_last_can_be_taken_back),
      cmocka_unit_test(a_commit_that_nobody_wrote_down_is_taken_back),
      cmocka_unit_test(a_commit_that_was_not_made_takes_nothing_from_others),
      cmocka_unit_test(under_a_limit_of_address_space_only_what_is_committed_counts),
      cmocka_unit_test(purged_memory_is_zero_and_stays_usable),
      cmocka_unit_test(what_is_resident_is_told_by_a_sample),
      cmocka_unit_test(locked_memory_is_purged_too),
      cmocka_unit_test(renewed_memory_is_zero_and_one_mapping_again),
      cmocka_unit_test(moved_pages_leave_zeros_behind_or_are_not_moved_at_all),
      cmocka_unit_test(a_move_that_is_refused_leaves_the_contents_where_they_were),
      cmocka_unit_test(huge_pages_are_granted_as_the_kernel_grants_them),
      cmocka_unit_test(sealed_memory_can_be_read),
      cmocka_unit_test(every_system_call_is_counted),
  };
  return SUITE_RUN(tests);
}
