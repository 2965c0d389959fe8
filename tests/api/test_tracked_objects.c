// SPDX-License-Identifier: MIT
//
// Profiles of objects with handles against the truth: exact counts are exact and estimates
// unbiased, by the function that has made the objects, after these have been resized, moved and
// freed in every way; and a leak report says who made a lost object, before and after it has moved.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "../support/hidden.h"
#include "../support/track_text.h"
#include "mend/handle.h"
#include "mend/track.h"

static struct track_text read_profile(void)
{
  int file = memfd_create("profile", MFD_CLOEXEC);
  CHECK(file >= 0 && mend_profile_write(file));
  struct track_text track = track_read(file);
  CHECK(track_is_whole(&track));
  return track;
}

// What a profile says of a function now.
static struct track_sums sums_now(void *function)
{
  struct track_text track = read_profile();
  struct track_sums sums = track_sums_of(&track, function);
  track_free(&track);
  return sums;
}

// Functions that make objects, each with a page of code for itself: nothing else is in the section.
#define PLANTED __attribute__((noinline, aligned(4096), section("planted"))) static mend_handle

PLANTED plant_plain(size_t size)
{
  mend_handle object = mend_handle_alloc(size);
  (void)opaque(&object);
  return object;
}

PLANTED plant_zeroed(size_t size)
{
  mend_handle object = mend_handle_zalloc(size);
  (void)opaque(&object);
  return object;
}

PLANTED plant_still(size_t size)
{
  mend_handle object = mend_handle_alloc_pinned(size);
  (void)opaque(&object);
  return object;
}

static mend_handle_heap *own_heap;

PLANTED plant_in_heap(size_t size)
{
  mend_handle object = mend_handle_heap_alloc(own_heap, size, 0, 0);
  (void)opaque(&object);
  return object;
}

struct plant {
  mend_handle (*make)(size_t size);
  size_t size;
  size_t count;
};

static const struct plant plants[] = {{plant_plain, 40, 20000},
                                      {plant_zeroed, 3000, 2000},
                                      {plant_still, 700, 3000},
                                      {plant_in_heap, 100000, 100}};
enum { PLANTS = sizeof plants / sizeof plants[0], OBJECTS_MOST = 20000, KEEP_EVERY = 4 };

static mend_handle objects[PLANTS][OBJECTS_MOST];

static void *function_of(const struct plant *plant)
{
  return (void *)(uintptr_t)plant->make;
}

static size_t count_of(const struct plant *plant)
{
  return plant->count / (TEST_IS_WASTEFUL || test_is_instrumented() ? 20 : 1);
}

static void plant_all(void)
{
  for (size_t i = 0; i < PLANTS; i++) {
    for (size_t j = 0; j < count_of(&plants[i]); j++) {
      objects[i][j] = plants[i].make(plants[i].size);
      CHECK(!mend_handle_is_null(objects[i][j]));
    }
  }
}

static void free_most(void)
{
  for (size_t i = 0; i < PLANTS; i++) {
    for (size_t j = 0; j < count_of(&plants[i]); j++) {
      if (j % KEEP_EVERY != 0) CHECK(mend_handle_free(objects[i][j]) == MEND_OK);
    }
  }
}

static size_t move_some(void)
{
  struct mend_defrag_report report = {.bytes = sizeof report};
  CHECK(mend_defragment(&report) == MEND_OK);
  return report.objects_moved;
}

// The rest, some of it deferred: which a pass does.
static void free_rest(void)
{
  for (size_t i = 0; i < PLANTS; i++) {
    for (size_t j = 0; j < count_of(&plants[i]); j += KEEP_EVERY) {
      bool is_deferred = j % (2 * KEEP_EVERY) == 0;
      CHECK((is_deferred ? mend_handle_free_deferred : mend_handle_free)(objects[i][j]) == MEND_OK);
    }
  }
  for (int i = 0; i < 2; i++) (void)move_some();
}

static size_t kept_of(const struct plant *plant)
{
  return (count_of(plant) + KEEP_EVERY - 1) / KEEP_EVERY;
}

static int begin(void **state)
{
  (void)state;
  own_heap = mend_handle_heap_create();
  return own_heap != NULL ? 0 : -1;
}

static int end(void **state)
{
  (void)state;
  mend_handle_heap_destroy(own_heap);
  mend_profile_stop();
  return 0;
}

#define TRACKED_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

// ---------------------------------------------------------------------------------------------

static void assert_live(const struct track_sums *before, size_t (*count)(const struct plant *))
{
  for (size_t i = 0; i < PLANTS; i++) {
    struct track_sums now = sums_now(function_of(&plants[i]));
    assert_int_equal(now.live_count - before[i].live_count, count(&plants[i]));
    assert_int_equal(now.live_bytes - before[i].live_bytes, count(&plants[i]) * plants[i].size);
    assert_int_equal(now.total_count - before[i].total_count, count_of(&plants[i]));
  }
}

static size_t none_of(const struct plant *plant)
{
  (void)plant;
  return 0;
}

static void exact_counts_are_exact(void **state)
{
  (void)state;
  struct track_sums before[PLANTS];
  for (size_t i = 0; i < PLANTS; i++) before[i] = sums_now(function_of(&plants[i]));
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  plant_all();
  assert_live(before, count_of);
  free_most();
  assert_live(before, kept_of);
  assert_true(move_some() > 0);
  assert_live(before, kept_of);
  free_rest();
  assert_live(before, none_of);
}

// Many even where the others are few, so that they fill pages.
static void free_pages_are_whose_objects_keep_them(void **state)
{
  (void)state;
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  for (size_t i = 0; i < OBJECTS_MOST; i++) objects[0][i] = plant_plain(40);
  for (size_t i = 0; i < OBJECTS_MOST; i++) {
    if (i % KEEP_EVERY != 0) CHECK(mend_handle_free(objects[0][i]) == MEND_OK);
  }
  struct track_sums sparse = sums_now((void *)(uintptr_t)plant_plain);
  assert_true(sparse.sparse_bytes > sparse.live_bytes);
  assert_true(move_some() > 0);
  struct track_sums dense = sums_now((void *)(uintptr_t)plant_plain);
  assert_true(dense.sparse_bytes < sparse.sparse_bytes / 2 || TEST_IS_WASTEFUL);
  for (size_t i = 0; i < OBJECTS_MOST; i += KEEP_EVERY) {
    CHECK(mend_handle_free(objects[0][i]) == MEND_OK);
  }
}

static void a_heap_that_ends_is_forgotten(void **state)
{
  (void)state;
  struct track_sums before = sums_now((void *)(uintptr_t)plant_in_heap);
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  for (size_t i = 0; i < 300; i++) (void)plant_in_heap(i % 10 == 0 ? 100000 : i * 10);
  struct track_sums full = sums_now((void *)(uintptr_t)plant_in_heap);
  assert_int_equal(full.live_count - before.live_count, 300);
  mend_handle_heap_destroy(own_heap);
  struct track_sums after = sums_now((void *)(uintptr_t)plant_in_heap);
  assert_int_equal(after.live_count, before.live_count);
  assert_int_equal(after.total_count - before.total_count, 300);
  own_heap = NULL;
}

// In place, to another block, and between large and small.
static void a_resized_object_counts_for_what_it_is(void **state)
{
  (void)state;
  static const size_t sizes[] = {100, 99, 5000, 200000, 250000, 3 * MIB, 70000, 10};
  struct track_sums before = sums_now(NULL);
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  mend_handle object = plant_plain(50);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    assert_int_equal(mend_handle_realloc(object, sizes[i]), MEND_OK);
    struct track_sums now = sums_now(NULL);
    assert_int_equal(now.live_count - before.live_count, 1);
    assert_int_equal(now.live_bytes - before.live_bytes, sizes[i]);
  }
  assert_int_equal(mend_handle_free(object), MEND_OK);
  assert_int_equal(sums_now(NULL).live_count, before.live_count);
}

// ---------------------------------------------------------------------------------------------
// Estimates.

// An estimate of `truth` objects, each of which is a sample with the probability 1 / weight, has
// the variance truth * (weight - 1). (Squares, since there is no square root here.)
static bool is_within_six_deviations(double estimate, double truth, double weight)
{
  double difference = estimate - truth;
  return difference * difference <= 36 * truth * (weight - 1) + 4;
}

static void check_estimates(const struct track_sums *before, size_t (*count)(const struct plant *))
{
  for (size_t i = 0; i < PLANTS; i++) {
    struct track_sums now = sums_now(function_of(&plants[i]));
    double samples = (double)(now.total_samples - before[i].total_samples);
    double total = (double)(now.total_count - before[i].total_count);
    double live = (double)(now.live_count - before[i].live_count);
    double bytes = (double)(now.live_bytes - before[i].live_bytes);
    double truth = (double)count(&plants[i]);
    assert_true(samples > 0);
    double weight = total / samples;
    assert_true(is_within_six_deviations(total, (double)count_of(&plants[i]), weight));
    assert_true(is_within_six_deviations(live, truth, weight));
    assert_true(is_within_six_deviations(bytes / (double)plants[i].size, truth, weight));
  }
}

static void estimates_are_unbiased(void **state)
{
  (void)state;
  static const size_t intervals[] = {200, 1000, 3000};
  struct track_sums before[PLANTS];
  size_t live = sums_now(NULL).live_samples;
  for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
    for (size_t j = 0; j < PLANTS; j++) before[j] = sums_now(function_of(&plants[j]));
    assert_true(mend_profile_start(intervals[i]));
    plant_all();
    check_estimates(before, count_of);
    free_most();
    check_estimates(before, kept_of);
    assert_true(move_some() > 0);
    check_estimates(before, kept_of);
    mend_profile_stop();
    free_rest();  // samples outlast the mode
    assert_int_equal(sums_now(NULL).live_samples, live);
  }
}

// ---------------------------------------------------------------------------------------------
// Leaks.

static struct hidden lost[1000];

__attribute__((noinline)) static void lose(size_t count)
{
  static mend_handle others[KEEP_EVERY * 1000];
  for (size_t i = 0; i < KEEP_EVERY * count; i++) others[i] = plant_plain(200);
  for (size_t i = 0; i < KEEP_EVERY * count; i++) {
    if (i % KEEP_EVERY != 0) CHECK(mend_handle_free(others[i]) == MEND_OK);
    if (i % KEEP_EVERY == 0) lost[i / KEEP_EVERY] = hide((void *)others[i].bits);
  }
  memset(others, 0, sizeof others);
}

// How many blocks of a report's lost ones were made by plant_plain.
static uint64_t planted_leaks(void)
{
  struct mend_leaks leaks = {.bytes = sizeof leaks};
  int file = memfd_create("leaks", MFD_CLOEXEC);
  CHECK(file >= 0 && mend_leak_check(&leaks, file));
  struct track_text track = track_read(file);
  CHECK(track_is_whole(&track));
  uint64_t count = 0;
  for (const char *at = track.text; (at = strstr(at, "\nleak handle ")) != NULL; at++) {
    unsigned long long number, thread, blocks;
    char stack[32];
    CHECK(sscanf(at, "\nleak handle %llu %llu %llu", &number, &thread, &blocks) == 3);
    snprintf(stack, sizeof stack, "\nstack %llu ", number);
    const char *line = strstr(track.text, stack);
    if (line != NULL && thread != 0 && track_is_in(line + 1, (uintptr_t)plant_plain)) {
      count += blocks;
    }
  }
  track_free(&track);
  return count;
}

static void a_leak_report_says_who_made_a_lost_object(void **state)
{
  (void)state;
  if (test_is_instrumented()) skip();  // a checker keeps addresses in memory of its own
  const size_t count = TEST_IS_WASTEFUL ? 100 : 1000;
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  lose(count);
  wipe_stack();
  // A number that looks like a handle keeps an object from being reported: of many, nearly all are.
  uint64_t found = planted_leaks();
  assert_true(found >= count * 9 / 10 && found <= count);
  assert_true(move_some() >= count / 2);
  wipe_stack();
  found = planted_leaks();
  assert_true(found >= count * 9 / 10 && found <= count);
  for (size_t i = 0; i < count; i++) {
    mend_handle object = {(uint64_t)(uintptr_t)unhide(lost[i])};
    assert_int_equal(mend_handle_free(object), MEND_OK);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      TRACKED_TEST(exact_counts_are_exact),
      TRACKED_TEST(free_pages_are_whose_objects_keep_them),
      TRACKED_TEST(a_heap_that_ends_is_forgotten),
      TRACKED_TEST(a_resized_object_counts_for_what_it_is),
      TRACKED_TEST(estimates_are_unbiased),
      TRACKED_TEST(a_leak_report_says_who_made_a_lost_object),
  };
  if (!mend_profile_start(0)) {
    CHECK(errno == ENOTSUP);
    return test_cannot_run("this build does not track");
  }
  mend_profile_stop();
  return SUITE_RUN(tests);
}
