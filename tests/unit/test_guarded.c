// SPDX-License-Identifier: MIT
//
// Guarded blocks: which allocations get one, what they are like, what their free finds, and how
// threads and forks get along with them. What faults is in test_guarded_fault.c.
#define _GNU_SOURCE 1
#include "child.h"

#include <errno.h>

#include "capture.h"
#include "core/metadata.h"
#include "guarded.h"

enum { THREADS = 4 };

// ---------------------------------------------------------------------------------------------
// Which allocations: in children, since a process starts once.

static void be_off(unsigned level, uint64_t rate)
{
  options.harden = level;
  options.guard_rate = rate;
  CHECK(!guarded_start());
  uint32_t countdown = 0;
  for (size_t i = 0; i < 100000; i++) CHECK(!guarded_wants_next(&countdown));
  CHECK(guarded_allocate(100, 0, KIND_MALLOC) == NULL);
  CHECK(!guarded_owns(&countdown) && !guarded_owns(NULL));
  guarded_after_fork();
}

static void be_off_by_level(void)
{
  be_off(0, 1);
  be_off(1, 1);
}

static void be_off_by_rate(void)
{
  be_off(3, 0);
}

static void nothing_is_guarded_below_level_2_or_at_rate_0(void **state)
{
  (void)state;
  child_check(be_off_by_level);
  child_check(be_off_by_rate);
}

static void sample(void)
{
  enum { RATE = 50, COUNT = 200000 };
  options.guard_rate = RATE;
  guarded_begin(2);
  uint32_t countdowns[2] = {0, 0};
  size_t hits[2] = {0, 0};
  size_t same = 0;
  size_t shortest = SIZE_MAX;
  size_t longest = 0;
  size_t last = 0;
  for (size_t i = 0; i < COUNT; i++) {
    bool first = guarded_wants_next(&countdowns[0]);
    bool second = guarded_wants_next(&countdowns[1]);
    hits[0] += first;
    hits[1] += second;
    same += first && second;
    if (!first) continue;
    if (i - last < shortest) shortest = i - last;
    if (i - last > longest) longest = i - last;
    last = i;
  }
  // Ten standard deviations, and more.
  for (size_t i = 0; i < 2; i++) CHECK(hits[i] > 3500 && hits[i] < 4500);
  CHECK(same < 400);
  CHECK(shortest <= 5 && longest >= 2 * RATE - 5 && longest <= 2 * RATE);
}

static void one_of_so_many_is_wanted_at_random_intervals(void **state)
{
  (void)state;
  child_check(sample);
}

// Of those that come first, each with a countdown of its own, as many as of all others; and of
// those that come second, and so on.
static void sample_the_first(void)
{
  enum { RATE = 50, COUNT = 100000, EACH = 4 };
  options.guard_rate = RATE;
  guarded_begin(2);
  size_t hits[EACH] = {0};
  for (size_t i = 0; i < COUNT; i++) {
    uint32_t countdown = 0;
    for (size_t j = 0; j < EACH; j++) hits[j] += guarded_wants_next(&countdown);
  }
  for (size_t j = 0; j < EACH; j++) CHECK(hits[j] > 1550 && hits[j] < 2450);
}

static void a_threads_first_allocations_are_wanted_as_often(void **state)
{
  (void)state;
  child_check(sample_the_first);
}

static void sample_all(void)
{
  options.guard_rate = 1;
  options.guard_slots = 10;
  guarded_begin(2);
  uint32_t countdown = 0;
  for (size_t i = 0; i < 100; i++) CHECK(guarded_wants_next(&countdown));
  void *blocks[10];
  for (size_t i = 0; i < 10; i++) CHECK((blocks[i] = guarded_allocate(1, 0, KIND_NEW)) != NULL);
  CHECK(guarded_allocate(1, 0, KIND_NEW) == NULL);
  CHECK(guarded_live_count() == 10);
  CHECK(guarded_live_bytes() == 10 * os_page_bytes());
  guarded_release(blocks[3], KIND_NEW, 0, 0);
  CHECK(guarded_live_bytes() == 9 * os_page_bytes());
  CHECK(guarded_allocate(1, 0, KIND_NEW) != NULL);
  CHECK(guarded_allocate(1, 0, KIND_NEW) == NULL);
}

static void below_level_4_so_many_are_live_at_a_time(void **state)
{
  (void)state;
  child_check(sample_all);
}

static void start_at_level_4(void **state)
{
  (void)state;
  guarded_begin(4);
  uint32_t countdown = 0;
  for (size_t i = 0; i < 1000; i++) assert_true(guarded_wants_next(&countdown));
}

// ---------------------------------------------------------------------------------------------
// What blocks are like.

static void blocks_are_zero_aligned_and_of_the_size_asked_for(void **state)
{
  (void)state;
  static const size_t alignments[] = {0, 1, 16, 32, 512, 4096, 65536};
  size_t at_end = 0;
  size_t at_start = 0;
  for (size_t i = 0; i < test_scaled(400); i++) {
    size_t alignment = alignments[i % 7];
    size_t size = 1 + i * 7 % 9000 + (i % 50 == 0 ? 500000 : 0);
    char *block = guarded_allocate(size, alignment, KIND_MALLOC);
    assert_non_null(block);
    assert_true(is_aligned(block, 16) && is_aligned(block, alignment > 16 ? alignment : 16));
    assert_true(is_zero(block, size));
    assert_int_equal(guarded_size(block), size);
    assert_int_equal(guarded_bytes_from(block + size / 2), size - size / 2);
    assert_int_equal(guarded_bytes_from(block + size), 0);
    assert_int_equal(guarded_bytes_from(block - 1), 0);
    assert_true(guarded_owns(block) && guarded_owns(block + size - 1));
    if (alignment < 32) {
      size_t page = os_page_bytes();
      uintptr_t end = (uintptr_t)block + size;
      at_start += is_aligned(block, page);
      at_end += end % page == 0 || page - end % page < 16;
    }
    memset(block, 0xff, size);
    guarded_release(block, KIND_MALLOC, size, alignment);
    assert_int_equal(guarded_bytes_from(block), 0);
  }
  assert_true(test_scaled(400) < 400 || (at_start > 20 && at_end > 20));
  assert_int_equal(guarded_live_count(), 0);
}

static void what_is_too_large_is_refused(void **state)
{
  (void)state;
  size_t limit = guarded_slots_limit();
  static const size_t sizes[] = {(size_t)1 << 30, (size_t)1 << 47, PTRDIFF_MAX, SIZE_MAX};
  errno = 4711;
  for (size_t i = 0; i < 4; i++) {
    assert_null(guarded_allocate(sizes[i], 0, KIND_MALLOC));
    assert_null(guarded_allocate(1, (sizes[i] >> 1) + 1, KIND_MALLOC));
    assert_null(guarded_allocate(sizes[i], (size_t)1 << 63, KIND_MALLOC));
  }
  assert_null(guarded_allocate(limit + 1, 0, KIND_MALLOC));
  assert_null(guarded_allocate(limit, 8192, KIND_MALLOC));
  char *block = guarded_allocate(limit, 0, KIND_MALLOC);
  assert_non_null(block);
  block[0] = block[limit - 1] = 1;
  guarded_release(block, KIND_MALLOC, limit, 0);
  assert_int_equal(guarded_live_count(), 0);
  assert_int_equal(errno, 4711);
}

static void no_two_live_blocks_overlap_and_contents_stay(void **state)
{
  (void)state;
  enum { LIVE = 64 };
  struct random random = {random_seed()};
  struct {
    char *block;
    size_t size;
  } live[LIVE] = {{NULL, 0}};
  for (size_t i = 0; i < test_scaled(20000); i++) {
    size_t at = random_below(&random, LIVE);
    if (live[at].block != NULL) {
      assert_int_equal(pattern_difference(live[at].block, live[at].size, at), live[at].size);
      guarded_release(live[at].block, KIND_ANY, live[at].size, 0);
    }
    live[at].size = 1 + random_size(&random, 20000);
    live[at].block = guarded_allocate(live[at].size, 0, KIND_NEW);
    assert_non_null(live[at].block);
    pattern_fill(live[at].block, live[at].size, at);
  }
  for (size_t i = 0; i < LIVE; i++) {
    if (live[i].block != NULL) guarded_release(live[i].block, KIND_ANY, 0, 0);
  }
  assert_int_equal(guarded_live_count(), 0);
}

static void a_freed_address_does_not_come_back_soon(void **state)
{
  (void)state;
  char *block = guarded_allocate(3000, 0, KIND_MALLOC);
  guarded_release(block, KIND_MALLOC, 0, 0);
  for (size_t i = 0; i < (TEST_IS_WASTEFUL ? 10 : test_scaled(5000)); i++) {
    char *other = guarded_allocate(3000, 0, KIND_MALLOC);
    assert_true(other + 4096 < block || other > block + 4096);
    guarded_release(other, KIND_MALLOC, 0, 0);
  }
}

// ---------------------------------------------------------------------------------------------
// What is told. The program goes on after reports here: they are captured.

static int start_reports(void **state)
{
  (void)state;
  options.on_misuse = 2;
  capture_begin();
  return 0;
}

static int end_reports(void **state)
{
  (void)state;
  capture_end();
  options.on_misuse = 0;
  return guarded_live_count() == 0 ? 0 : -1;
}

static void assert_reported(const char *what, const void *pointer)
{
  char line[200];
  snprintf(line, sizeof line, "mend: %s: 0x%zx\n", what, (size_t)(uintptr_t)pointer);
  if (strncmp(captured.text, line, strlen(line)) != 0) {
    fprintf(stderr, "expected: %s\nreported: %s\n", line, captured.text);
    fail();
  }
  assert_int_equal(captured.calls, 1);
}

static void assert_shown(const char *text)
{
  if (strstr(captured.text, text) == NULL) {
    fprintf(stderr, "expected: %s\nin: %s\n", text, captured.text);
    fail();
  }
}

static void a_double_free_is_told_with_both_stacks(void **state)
{
  (void)state;
  char *block = guarded_allocate(100, 0, KIND_MALLOC);
  guarded_release(block, KIND_MALLOC, 0, 0);
  assert_int_equal(captured.calls, 0);
  guarded_release(block, KIND_MALLOC, 0, 0);
  assert_reported("double free", block);
  assert_shown(": 100 bytes asked for, 100 held, by malloc\n");
  assert_shown("\n  called:\n    0x");
  assert_shown("\n  allocated by thread ");
  assert_shown("\n  freed by thread ");
  if (!TEST_IS_VALGRIND) assert_shown(" ?? ??");
}

static void pointers_that_are_no_blocks_are_told(void **state)
{
  (void)state;
  char *block = guarded_allocate(200, 0, KIND_MALLOC);
  static const ptrdiff_t misaligned[] = {1, 8, 15, 199, -1, -8};
  for (size_t i = 0; i < sizeof misaligned / sizeof misaligned[0]; i++) {
    capture_begin();
    guarded_release(block + misaligned[i], KIND_MALLOC, 0, 0);
    assert_reported("free of a misaligned pointer", block + misaligned[i]);
  }
  for (ptrdiff_t at = 16; at < 200; at += 16) {
    capture_begin();
    guarded_release(block + at, KIND_MALLOC, 0, 0);
    assert_reported("free of a pointer inside a block", block + at);
    capture_begin();
    assert_int_equal(guarded_size(block + at), 0);
    assert_reported("malloc_usable_size of a pointer inside a block", block + at);
    capture_begin();
    size_t size;
    assert_false(guarded_check(block + at, &size));
    assert_reported("realloc of a pointer inside a block", block + at);
  }
  capture_begin();
  guarded_release(block + 208, KIND_MALLOC, 0, 0);
  assert_reported("free of memory that is not in use", block + 208);
  assert_int_equal(guarded_size(block), 200);
  capture_begin();
  guarded_release(block, KIND_MALLOC, 200, 0);
  assert_int_equal(captured.calls, 0);
  guarded_release(block + 16, KIND_MALLOC, 0, 0);
  assert_reported("free of memory that is not in use", block + 16);
  capture_begin();
  assert_int_equal(guarded_size(block), 0);
  assert_reported("malloc_usable_size of memory that is not in use", block);
  capture_begin();
  size_t size;
  assert_false(guarded_check(block, &size));
  assert_reported("realloc of memory that is not in use", block);
  capture_begin();
  char *nowhere = guarded_extent.start + atomic_load(&guarded_extent.bytes) - 16;
  guarded_release(nowhere, KIND_MALLOC, 0, 0);
  assert_reported("free of memory that is not in use", nowhere);
}

// A block with which this was done is as it was: it is freed as it should be, and nothing is told.
static void assert_stays(void *block, enum block_kind kind, size_t size, size_t alignment)
{
  assert_int_equal(guarded_size(block), size);
  capture_begin();
  guarded_release(block, kind, size, alignment);
  assert_int_equal(captured.calls, 0);
}

static void wrong_kinds_are_told_and_the_block_stays(void **state)
{
  (void)state;
  static const enum block_kind kinds[] = {KIND_MALLOC, KIND_NEW, KIND_NEW_ARRAY};
  static const char *const claims[] = {
      "\n  freed by free_aligned_sized, as of 40 bytes, as aligned to 16\n",
      "\n  freed by delete, as of 40 bytes, as aligned to 16\n",
      "\n  freed by delete[], as of 40 bytes, as aligned to 16\n"};
  for (size_t i = 0; i < 9; i++) {
    enum block_kind made = kinds[i / 3];
    enum block_kind freed = kinds[i % 3];
    void *block = guarded_allocate(40, 0, made);
    capture_begin();
    guarded_release(block, freed, 40, 16);
    if (made == freed) {
      assert_int_equal(captured.calls, 0);
    } else {
      assert_reported("free of a block of another kind", block);
      assert_shown(claims[i % 3]);
      assert_stays(block, made, 40, 16);
    }
  }
}

static void wrong_sizes_and_alignments_are_told_and_the_block_stays(void **state)
{
  (void)state;
  void *block = guarded_allocate(40, 0, KIND_NEW);
  capture_begin();
  guarded_release(block, KIND_NEW, 41, 0);
  assert_reported("free with a wrong size", block);
  assert_shown("\n  freed by delete, as of 41 bytes\n");
  assert_null(strstr(captured.text, "\n  freed by thread"));
  assert_stays(block, KIND_NEW, 40, 0);
  block = guarded_allocate(40, 0, KIND_NEW);
  capture_begin();
  guarded_release(block, KIND_NEW, 40, 32);
  assert_reported("free with a wrong alignment", block);
  assert_stays(block, KIND_NEW, 40, 16);
  block = guarded_allocate(40, 64, KIND_NEW);
  capture_begin();
  guarded_release(block, KIND_NEW, 40, 16);
  assert_reported("free with a wrong alignment", block);
  assert_shown(", aligned to 64, by new\n");
  assert_stays(block, KIND_NEW, 40, 64);
  block = guarded_allocate(40, 64, KIND_NEW);
  capture_begin();
  guarded_release(block, KIND_ANY, 0, 0);
  assert_int_equal(captured.calls, 0);
}

static void what_may_not_be_resized_is_told_and_stays(void **state)
{
  (void)state;
  static const enum block_kind kinds[] = {KIND_NEW, KIND_NEW_ARRAY};
  size_t size = 0;
  for (size_t i = 0; i < 2; i++) {
    void *block = guarded_allocate(40, 0, kinds[i]);
    capture_begin();
    assert_false(guarded_check(block, &size));
    assert_reported("realloc of a block of another kind", block);
    assert_stays(block, kinds[i], 40, 0);
  }
  unsigned char *block = guarded_block_at(40, 0, false);
  capture_begin();
  assert_true(guarded_check(block, &size));
  assert_int_equal(size, 40);
  assert_int_equal(captured.calls, 0);
  block[40] ^= 1;
  assert_false(guarded_check(block, &size));
  assert_reported("overflow of a block", block);
  block[40] ^= 1;
  assert_stays(block, KIND_MALLOC, 40, 0);
}

static void changed_bytes_beside_the_block_are_told_at_free(void **state)
{
  (void)state;
  // 40 bytes at the end leave 8 behind them; in front is the rest of the os page.
  static const struct {
    bool at_end;
    ptrdiff_t at;
    const char *what;
  } cases[] = {{true, 40, "overflow of a block"},  {true, 47, "overflow of a block"},
               {true, -1, "underflow of a block"}, {true, -100, "underflow of a block"},
               {false, 40, "overflow of a block"}, {false, 1000, "overflow of a block"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    unsigned char *block = guarded_block_at(40, 0, cases[i].at_end);
    char line[100];
    capture_begin();
    block[cases[i].at] ^= 1;
    guarded_release(block, KIND_MALLOC, 0, 0);
    assert_reported(cases[i].what, block);
    snprintf(line, sizeof line, "\n  damage 0x%zx is ", (size_t)(uintptr_t)(block + cases[i].at));
    assert_shown(line);
    assert_null(strstr(captured.text, "\n  freed"));
  }
}

// ---------------------------------------------------------------------------------------------
// Threads and forks.

static void work_for(size_t rounds, uint64_t seed)
{
  struct random random = {seed};
  char *blocks[8] = {NULL};
  for (size_t i = 0; i < rounds; i++) {
    size_t at = random_below(&random, 8);
    if (blocks[at] != NULL) {
      CHECK(blocks[at][0] == (char)at);
      CHECK(guarded_size(blocks[at]) == 100 * (at + 1));
      guarded_release(blocks[at], KIND_MALLOC, 100 * (at + 1), 0);
    }
    blocks[at] = guarded_allocate(100 * (at + 1), 0, KIND_MALLOC);
    CHECK(blocks[at] != NULL && blocks[at][0] == 0);
    blocks[at][0] = (char)at;
  }
  for (size_t i = 0; i < 8; i++) {
    if (blocks[i] != NULL) guarded_release(blocks[i], KIND_MALLOC, 0, 0);
  }
}

static void *work(void *argument)
{
  work_for(test_scaled(4000), (uintptr_t)argument);
  return NULL;
}

static void threads_share_them(void **state)
{
  (void)state;
  char places[THREADS];
  threads_run(THREADS, work, places, 1);
  assert_int_equal(guarded_live_count(), 0);
}

static char *shared;
static _Atomic(size_t) arrived;

static void *free_shared(void *unused)
{
  atomic_fetch_add(&arrived, 1);
  while (atomic_load(&arrived) < THREADS) os_thread_yield();
  guarded_release(shared, KIND_MALLOC, 0, 0);
  return unused;
}

static void of_frees_at_the_same_time_one_wins(void **state)
{
  (void)state;
  for (size_t i = 0; i < test_scaled(50); i++) {
    shared = guarded_allocate(64, 0, KIND_MALLOC);
    atomic_store(&arrived, 0);
    capture_begin();
    threads_run(THREADS, free_shared, NULL, 0);
    assert_int_equal(captured.calls, THREADS - 1);
    assert_int_equal(strncmp(captured.text, "mend: double free: 0x", 21), 0);
  }
}

static _Atomic(bool) is_over;

static void *work_until_over(void *argument)
{
  while (!atomic_load(&is_over)) {
    void *block = guarded_allocate(1 + (uintptr_t)argument % 5000, 0, KIND_MALLOC);
    CHECK(block != NULL);
    guarded_release(block, KIND_MALLOC, 0, 0);
  }
  return NULL;
}

static void work_in_child(void)
{
  metadata_after_fork();
  guarded_after_fork();
  CHECK(shared[0] == 'p' && guarded_size(shared) == 64);
  guarded_release(shared, KIND_MALLOC, 64, 0);
  work_for(100, 1);
}

static void *fork_some_times(void *unused)
{
  for (size_t i = 0; i < test_scaled(20); i++) child_check(work_in_child);
  atomic_store(&is_over, true);
  return unused;
}

static void *one_of_them(void *argument)
{
  return *(size_t *)argument == 0 ? fork_some_times(NULL) : work_until_over(argument);
}

static void a_child_goes_on_whatever_other_threads_did(void **state)
{
  (void)state;
  size_t which[] = {0, 1, 2};
  shared = guarded_allocate(64, 0, KIND_MALLOC);
  shared[0] = 'p';
  threads_run(3, one_of_them, which, sizeof which[0]);
  guarded_release(shared, KIND_MALLOC, 64, 0);
  assert_int_equal(guarded_live_count(), 0);
}

// At which side of their os pages blocks lie.
static void write_sides(void)
{
  char sides[65] = "";
  guarded_after_fork();
  for (size_t i = 0; i < 64; i++) {
    char *block = guarded_allocate(64, 0, KIND_MALLOC);
    CHECK(block != NULL);
    sides[i] = is_aligned(block, os_page_bytes()) ? 's' : 'e';
    guarded_release(block, KIND_MALLOC, 0, 0);
  }
  fputs(sides, stderr);
}

static void each_child_is_random_by_itself(void **state)
{
  (void)state;
  struct ending first = child_run(write_sides);
  struct ending second = child_run(write_sides);
  assert_int_equal(first.exit_code, 0);
  assert_int_equal(second.exit_code, 0);
  assert_int_equal(strspn(first.text, "se"), 64);
  assert_int_equal(strncmp(first.text, second.text, 64) != 0, true);
}

static void a_handler_below_which_the_lock_is_held_gets_no_block(void **state)
{
  (void)state;
  char *block = guarded_allocate(64, 0, KIND_MALLOC);
  os_lock_acquire(&guarded_lock);
  assert_null(guarded_allocate(64, 0, KIND_MALLOC));
  assert_int_equal(guarded_size(block), 64);
  assert_int_equal(guarded_bytes_from(block), 64);
  uint32_t countdown = 0;
  assert_true(guarded_wants_next(&countdown));
  guarded_release(block, KIND_MALLOC, 0, 0);
  os_lock_release(&guarded_lock);
  assert_int_equal(guarded_size(block), 64);
  guarded_release(block, KIND_MALLOC, 0, 0);
}

int main(void)
{
#define REPORT_TEST(function) cmocka_unit_test_setup_teardown(function, start_reports, end_reports)
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_guarded_below_level_2_or_at_rate_0),
      cmocka_unit_test(one_of_so_many_is_wanted_at_random_intervals),
      cmocka_unit_test(a_threads_first_allocations_are_wanted_as_often),
      cmocka_unit_test(below_level_4_so_many_are_live_at_a_time),
      cmocka_unit_test(start_at_level_4),  // for all that follow
      cmocka_unit_test(blocks_are_zero_aligned_and_of_the_size_asked_for),
      cmocka_unit_test(what_is_too_large_is_refused),
      cmocka_unit_test(no_two_live_blocks_overlap_and_contents_stay),
      cmocka_unit_test(a_freed_address_does_not_come_back_soon),
      REPORT_TEST(a_double_free_is_told_with_both_stacks),
      REPORT_TEST(pointers_that_are_no_blocks_are_told),
      REPORT_TEST(wrong_kinds_are_told_and_the_block_stays),
      REPORT_TEST(wrong_sizes_and_alignments_are_told_and_the_block_stays),
      REPORT_TEST(what_may_not_be_resized_is_told_and_stays),
      REPORT_TEST(changed_bytes_beside_the_block_are_told_at_free),
      cmocka_unit_test(threads_share_them),
      REPORT_TEST(of_frees_at_the_same_time_one_wins),
      cmocka_unit_test(a_child_goes_on_whatever_other_threads_did),
      cmocka_unit_test(each_child_is_random_by_itself),
      cmocka_unit_test(a_handler_below_which_the_lock_is_held_gets_no_block),
  };
  return SUITE_RUN(tests);
}
