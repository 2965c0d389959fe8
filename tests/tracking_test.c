// SPDX-License-Identifier: MIT
//
// Profiles against the truth, in one suite that stands alone: planted functions allocate and free
// what is known, from threads, by all ways to allocate; exact mode must count it exactly, sampled
// mode must estimate it within six standard deviations, whatever the sizes and the interval. And:
// who keeps sparse pages is named, track files come by call, at signals, with growth and at the
// exit, and what goes wrong is told and spoils nothing.
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "mend/stats.h"
#include "mend/track.h"
#include "support/folder.h"
#include "support/respawn.h"
#include "support/track_text.h"

enum { THREADS = 4 };

static struct track_text write_profile(void)
{
  int file = memfd_create("profile", MFD_CLOEXEC);
  CHECK(file >= 0 && mend_profile_write(file));
  struct track_text track = track_read(file);
  CHECK(track_is_whole(&track));
  return track;
}

static struct track_sums less(struct track_sums sums, struct track_sums before)
{
  for (size_t i = 0; i < TRACK_SUMS; i++) ((uint64_t *)&sums)[i] -= ((uint64_t *)&before)[i];
  return sums;
}

// ---------------------------------------------------------------------------------------------
// What is planted: functions that allocate, each with a page of code for itself.

#define PLANTED __attribute__((noinline, aligned(4096), section("planted"))) static void *

PLANTED plant_small(size_t size)
{
  return opaque(mend_malloc(size));
}

PLANTED plant_zeroed(size_t size)
{
  return opaque(mend_calloc(1, size));
}

PLANTED plant_aligned(size_t size)
{
  return opaque(mend_aligned_alloc(256, size));
}

PLANTED plant_grown(size_t size)
{
  void *block = opaque(mend_malloc(size / 3 + 1));
  return block != NULL ? opaque(mend_realloc(block, size)) : NULL;
}

PLANTED plant_medium(size_t size)
{
  return opaque(mend_malloc(size));
}

PLANTED plant_large(size_t size)
{
  return opaque(mend_malloc(size));
}

struct plant {
  void *(*allocate)(size_t size);
  size_t size;
  size_t count;       // of a thread
  size_t keep_every;  // all others are freed
  bool is_grown;      // by realloc: what was allocated in all is another matter
};

static const struct plant plants[] = {
    {plant_small, 24, 40000, 2, false},    {plant_small, 500, 20000, 3, false},
    {plant_zeroed, 1000, 10000, 1, false}, {plant_aligned, 700, 5000, 5, false},
    {plant_grown, 3000, 4000, 2, true},    {plant_medium, 20000, 1000, 2, false},
    {plant_large, 200000, 60, 3, false},
};
enum { PLANTS = sizeof plants / sizeof plants[0], BLOCKS_MOST = 80060 };

// One thread's blocks, which are kept until the profile has been written.
struct garden {
  void *blocks[BLOCKS_MOST];
  size_t count;
};
static struct garden gardens[THREADS];

static size_t plant_count(const struct plant *plant)
{
  return (plant->count + 19) / (TEST_IS_WASTEFUL || test_is_instrumented() ? 20 : 1);
}

static void *plant_all(void *argument)
{
  struct garden *garden = argument;
  garden->count = 0;
  for (size_t i = 0; i < PLANTS; i++) {
    size_t count = plant_count(&plants[i]);
    for (size_t j = 0; j < count; j++) {
      void *block = plants[i].allocate(plants[i].size);
      CHECK(block != NULL);
      if (j % plants[i].keep_every == 0) {
        garden->blocks[garden->count++] = block;
      } else {
        mend_free(block);
      }
    }
  }
  return NULL;
}

// Freed by another thread than allocated them.
static void clear_gardens(void)
{
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < gardens[i].count; j++) mend_free(gardens[i].blocks[j]);
    gardens[i].count = 0;
  }
}

// What all threads together have planted by way of one function.
static struct track_sums truth_of(void *(*allocate)(size_t size))
{
  struct track_sums truth = {0};
  for (size_t i = 0; i < PLANTS; i++) {
    if (plants[i].allocate != allocate) continue;
    size_t count = THREADS * plant_count(&plants[i]);
    size_t kept =
        THREADS * ((plant_count(&plants[i]) + plants[i].keep_every - 1) / plants[i].keep_every);
    truth.live_count += kept;
    truth.live_bytes += kept * plants[i].size;
    truth.total_count += count;
    truth.total_bytes += count * plants[i].size;
  }
  return truth;
}

static void exact_counts_are_exact(void **state)
{
  (void)state;
  struct track_text before = write_profile();
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  threads_run(THREADS, plant_all, gardens, sizeof gardens[0]);
  struct track_text planted = write_profile();
  clear_gardens();
  struct track_text cleared = write_profile();
  mend_profile_stop();
  assert_true(track_has(&planted, "mode", "exact") && track_has(&planted, "interval", "0"));
  for (size_t i = 0; i < PLANTS; i++) {
    void *function = (void *)(uintptr_t)plants[i].allocate;
    struct track_sums start = track_sums_of(&before, function);
    struct track_sums found = less(track_sums_of(&planted, function), start);
    struct track_sums truth = truth_of(plants[i].allocate);
    assert_int_equal(found.live_count, truth.live_count);
    assert_int_equal(found.live_bytes, truth.live_bytes);
    assert_int_equal(found.live_samples, truth.live_count);
    if (!plants[i].is_grown) {
      assert_int_equal(found.total_count, truth.total_count);
      assert_int_equal(found.total_bytes, truth.total_bytes);
    }
    struct track_sums end = less(track_sums_of(&cleared, function), start);
    assert_int_equal(end.live_count, 0);
    assert_int_equal(end.live_bytes, 0);
    assert_int_equal(end.total_count, found.total_count);
  }
  track_free(&before);
  track_free(&planted);
  track_free(&cleared);
}

// ---------------------------------------------------------------------------------------------
// Estimates.

// An estimate of `truth` blocks, each of which is a sample with the probability 1 / weight, has the
// variance truth * (weight - 1). (Squares, since there is no square root here.)
static bool is_within_six_deviations(double estimate, double truth, double weight)
{
  double difference = estimate - truth;
  return difference * difference <= 36 * truth * (weight - 1) + 4;
}

static void check_estimates(const struct track_text *before, const struct track_text *after)
{
  for (size_t i = 0; i < PLANTS; i++) {
    void *function = (void *)(uintptr_t)plants[i].allocate;
    struct track_sums found = less(track_sums_of(after, function), track_sums_of(before, function));
    struct track_sums truth = truth_of(plants[i].allocate);
    if (plants[i].is_grown || plants[i].allocate == plant_small) continue;  // of several sizes
    assert_true(found.total_samples > 0);
    double weight = (double)found.total_count / (double)found.total_samples;
    double size = (double)plants[i].size;
    assert_true(
        is_within_six_deviations((double)found.live_count, (double)truth.live_count, weight));
    assert_true(is_within_six_deviations((double)found.live_bytes / size, (double)truth.live_count,
                                         weight));
    assert_true(
        is_within_six_deviations((double)found.total_count, (double)truth.total_count, weight));
    assert_true(is_within_six_deviations((double)found.total_bytes / size,
                                         (double)truth.total_count, weight));
  }
}

static void estimates_are_unbiased(void **state)
{
  (void)state;
  static const size_t intervals[] = {1000, 20000, 100000};
  for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
    struct track_text before = write_profile();
    assert_true(mend_profile_start(intervals[i]));
    threads_run(THREADS, plant_all, gardens, sizeof gardens[0]);
    struct track_text after = write_profile();
    mend_profile_stop();
    check_estimates(&before, &after);
    clear_gardens();
    struct track_text cleared = write_profile();
    assert_int_equal(track_sums_of(&cleared, NULL).live_samples,
                     track_sums_of(&before, NULL).live_samples);
    track_free(&before);
    track_free(&after);
    track_free(&cleared);
  }
}

// The same blocks again and again, by one thread, which the fast paths serve: each of them counts.
static void blocks_that_come_and_go_are_sampled_as_often(void **state)
{
  (void)state;
  const size_t rounds = test_scaled(TEST_IS_WASTEFUL || test_is_instrumented() ? 20000 : 1000000);
  struct track_text before = write_profile();
  assert_true(mend_profile_start(8192));
  for (size_t i = 0; i < rounds; i++) mend_free(plant_small(64));
  struct track_text after = write_profile();
  mend_profile_stop();
  void *function = (void *)(uintptr_t)plant_small;
  struct track_sums sums = less(track_sums_of(&after, function), track_sums_of(&before, function));
  assert_true(sums.total_samples > 0);
  double weight = (double)sums.total_count / (double)sums.total_samples;
  assert_true(is_within_six_deviations((double)sums.total_count, (double)rounds, weight));
  track_free(&before);
  track_free(&after);
}

// After the end, too: small, medium and large blocks, and those of a heap of one's own.
static void samples_stay_until_they_are_freed(void **state)
{
  (void)state;
  enum { COUNT = 60 };
  static const size_t sizes[] = {500, 20000, 200000};
  static void *blocks[4][COUNT];
  struct track_text before = write_profile();
  mend_heap *heap = mend_heap_create();
  assert_true(heap != NULL && mend_profile_start(100));
  for (size_t i = 0; i < COUNT; i++) {
    for (size_t j = 0; j < 3; j++) blocks[j][i] = plant_small(sizes[j]);
    blocks[3][i] = opaque(mend_heap_malloc(heap, 500));
  }
  mend_profile_stop();
  struct track_text after = write_profile();
  struct track_sums found = less(track_sums_of(&after, NULL), track_sums_of(&before, NULL));
  assert_true(found.live_samples >= 4 * COUNT * 9 / 10);
  assert_true(found.live_bytes > COUNT * (200000 + 20000) && found.live_bytes < 15 * MIB);
  // Of another size they are as good as new, and those are not known.
  for (size_t i = 0; i < COUNT; i++) {
    blocks[2][i] = mend_realloc(blocks[2][i], i % 2 == 0 ? 2 * MIB : 70000);
    for (size_t j = 0; j < 3; j++) mend_free(blocks[j][i]);
  }
  mend_heap_destroy(heap);
  // Nor does exact mode take the freed ones for blocks that are freed again.
  for (size_t i = 0; i < COUNT; i++) blocks[1][i] = plant_small(sizes[1]);
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  for (size_t i = 0; i < COUNT; i++) mend_free(blocks[1][i]);
  mend_profile_stop();
  struct track_text end = write_profile();
  assert_int_equal(track_sums_of(&end, NULL).live_samples,
                   track_sums_of(&before, NULL).live_samples);
  track_free(&before);
  track_free(&after);
  track_free(&end);
}

// ---------------------------------------------------------------------------------------------
// Fragmentation: one function's blocks keep pages of which all else is free.

PLANTED plant_keeper(size_t size)
{
  return opaque(mend_malloc(size));
}

PLANTED plant_filler(size_t size)
{
  return opaque(mend_malloc(size));
}

static struct track_text make_sparse(size_t interval)
{
  enum { SIZE = 256, KEEPERS = 1000, FILLERS = 32 };
  static void *keepers[KEEPERS], *fillers[KEEPERS][FILLERS];
  assert_true(mend_profile_start(interval));
  for (size_t i = 0; i < KEEPERS; i++) {
    keepers[i] = plant_keeper(SIZE);
    for (size_t j = 0; j < FILLERS; j++) fillers[i][j] = plant_filler(SIZE);
    memset(keepers[i], 1, SIZE);
  }
  for (size_t i = 0; i < KEEPERS; i++) {
    for (size_t j = 0; j < FILLERS; j++) mend_free(fillers[i][j]);
  }
  (void)mend_malloc_trim(0);
  struct track_text track = write_profile();
  for (size_t i = 0; i < KEEPERS; i++) mend_free(keepers[i]);
  mend_profile_stop();
  return track;
}

static void who_keeps_sparse_pages_is_named(void **state)
{
  (void)state;
  static const size_t intervals[] = {MEND_PROFILE_EXACT, 1000};
  for (size_t i = 0; i < 2; i++) {
    struct track_text track = make_sparse(intervals[i]);
    struct track_sums keeper = track_sums_of(&track, (void *)(uintptr_t)plant_keeper);
    struct track_sums filler = track_sums_of(&track, (void *)(uintptr_t)plant_filler);
    assert_true(keeper.live_samples > 0 && filler.live_samples == 0);
    assert_int_equal(filler.sparse_bytes, 0);
    // 8 MiB were the fillers'; tiny pages are mostly given back.
    if (!TEST_IS_WASTEFUL) {
      assert_true(keeper.sparse_bytes > 4 * MIB && keeper.sparse_bytes < 16 * MIB);
    }
    track_free(&track);
  }
}

static void exact_mode_takes_at_most_64_bytes_a_block(void **state)
{
  (void)state;
  enum { COUNT = 100000 };
  static void *blocks[COUNT];
  struct mend_stats before = {.bytes = sizeof before}, after = {.bytes = sizeof after};
  assert_true(mend_profile_start(MEND_PROFILE_EXACT));
  assert_true(mend_stats_get(&before));
  for (size_t i = 0; i < COUNT; i++) blocks[i] = plant_small(48);
  assert_true(mend_stats_get(&after));
  for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
  mend_profile_stop();
  if (!TEST_IS_WASTEFUL && !TEST_IS_ANNOTATED) {
    assert_true(after.metadata_bytes - before.metadata_bytes <= (size_t)64 * COUNT);
  }
}

// ---------------------------------------------------------------------------------------------
// Files without a call. The program is started again, as `main` tells by its argument.

static char folder[] = "/tmp/mend-test-tracking-XXXXXX";

static struct track_text take_file(const char *name)
{
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  struct track_text track = track_read(open(path, O_RDONLY | O_CLOEXEC));
  CHECK(unlink(path) == 0);
  CHECK(track_is_whole(&track));
  return track;
}

static struct outcome outcome;

static void run_with(const char *name, const char *value, const char *file)
{
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, file);
  const char *const environment[] = {
      "MEND_PROFILE", "1", "MEND_PROFILE_INTERVAL", "1k", "MEND_TRACK_FILE", path, name,
      value,          NULL};
  respawn_check(&(struct respawn){.argument = name, .environment = environment}, &outcome);
}

// What the new program does: 8 MiB of blocks that are kept, and whatever the option takes.
static int act(const char *name)
{
  static void *volatile kept[8192];
  for (size_t i = 0; i < 8192; i++) {
    kept[i] = plant_small(1000);
    CHECK(kept[i] != NULL);
    if (i == 4096 && strcmp(name, "MEND_PROFILE_SIGNAL") == 0) CHECK(raise(SIGUSR2) == 0);
  }
  pid_t child = strcmp(name, "MEND_VERBOSE") == 0 ? test_fork() : 0;
  if (child == 0) return TEST_PASS;
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  return TEST_PASS;
}

static void a_profile_is_written_at_the_exit(void **state)
{
  (void)state;
  run_with("MEND_STATS", "0", "exit");
  struct track_text track = take_file("exit");
  assert_true(track_has(&track, "mode", "sampled") && track_has(&track, "interval", "1024"));
  assert_true(track_sums_of(&track, NULL).live_count > 7000);
  track_free(&track);
}

static void a_profile_is_written_at_a_signal(void **state)
{
  (void)state;
  char number[16];
  snprintf(number, sizeof number, "%d", SIGUSR2);
  run_with("MEND_PROFILE_SIGNAL", number, "signal");
  struct track_text half = take_file("signal.1");
  struct track_text all = take_file("signal");
  uint64_t count = track_sums_of(&half, NULL).live_count;
  assert_true(count > 3000 && count < 5200);
  assert_true(track_sums_of(&all, NULL).live_count > 7000);
  track_free(&half);
  track_free(&all);
}

static void a_profile_is_written_with_growth(void **state)
{
  (void)state;
  run_with("MEND_PROFILE_GROWTH", "2m", "growth");
  uint64_t before = 0;
  for (int i = 1; i <= 3; i++) {
    char name[16];
    snprintf(name, sizeof name, "growth.%d", i);
    struct track_text track = take_file(name);
    uint64_t count = track_sums_of(&track, NULL).live_count;
    assert_true(count > before);
    before = count;
    track_free(&track);
  }
  struct track_text track = take_file("growth");
  track_free(&track);
}

static void a_forks_child_writes_its_own(void **state)
{
  (void)state;
  char path[128], name[32];
  run_with("MEND_VERBOSE", "1", "fork");
  struct track_text parent = take_file("fork");
  int pid = atoi(track_value(&parent, "pid"));
  for (int i = 1; i < 1000; i++) {  // the child's number is above, but for the rare turn
    snprintf(name, sizeof name, "fork.%d", pid + i);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (access(path, R_OK) == 0) break;
  }
  struct track_text child = take_file(name);
  assert_int_equal(atoi(strrchr(name, '.') + 1), atoi(track_value(&child, "pid")));
  assert_int_equal(track_sums_of(&child, NULL).live_count, track_sums_of(&parent, NULL).live_count);
  track_free(&parent);
  track_free(&child);
}

// ---------------------------------------------------------------------------------------------
// What goes wrong.

static void a_file_that_cannot_be_written_is_told(void **state)
{
  (void)state;
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  assert_true(full >= 0);
  assert_false(mend_profile_write(full));
  assert_int_equal(errno, ENOSPC);
  close(full);
  assert_false(mend_profile_write(full));
  assert_int_equal(errno, EBADF);
  const char *const environment[] = {"MEND_PROFILE", "1", "MEND_TRACK_FILE", "/dev/full", NULL};
  respawn_check(&(struct respawn){.argument = "MEND_STATS", .environment = environment}, &outcome);
  assert_int_equal(outcome_count(&outcome, "mend: the track file could not be written whole"), 1);
}

// ---------------------------------------------------------------------------------------------
// All at once: threads allocate, one switches modes and writes, signals come and allocate.

static _Atomic(bool) is_over;

static void allocate_in_handler(int number)
{
  (void)number;
  int saved_errno = errno;
  mend_free(plant_small(100));
  errno = saved_errno;
}

static void *allocate_until_over(void *argument)
{
  struct random random = {*(uint64_t *)argument};
  void *blocks[64] = {NULL};
  while (!is_over) {
    size_t i = random_below(&random, 64);
    mend_free(blocks[i]);
    blocks[i] = plant_small(random_size(&random, 100000));
    if (random_below(&random, 1000) == 0) pthread_kill(pthread_self(), SIGUSR1);
  }
  for (size_t i = 0; i < 64; i++) mend_free(blocks[i]);
  return NULL;
}

static void *switch_modes(void)
{
  struct track_text track = {NULL, 0};
  const size_t rounds = test_scaled(30);
  for (size_t i = 0; i < rounds; i++) {
    static const size_t intervals[] = {MEND_PROFILE_EXACT, 1000, 0};
    CHECK(mend_profile_start(intervals[i % 3]));
    usleep(2000);
    track = write_profile();
    track_free(&track);
    if (i % 2 == 0) mend_profile_stop();
  }
  mend_profile_stop();
  is_over = true;
  return NULL;
}

struct role {
  uint64_t seed;
  bool switches;
};

static void *play(void *argument)
{
  struct role *role = argument;
  return role->switches ? switch_modes() : allocate_until_over(&role->seed);
}

static void modes_change_while_all_goes_on(void **state)
{
  (void)state;
  struct role roles[THREADS] = {{0, true}, {1, false}, {2, false}, {3, false}};
  struct sigaction action = {.sa_handler = allocate_in_handler}, before;
  uint64_t seed = random_seed();
  for (size_t i = 0; i < THREADS; i++) roles[i].seed += seed;
  assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
  threads_run(THREADS, play, roles, sizeof roles[0]);
  assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
  // Nothing of it is left.
  struct track_text track = write_profile();
  assert_int_equal(track_sums_of(&track, NULL).live_count, 0);
  track_free(&track);
}

static int make_folder(void **state)
{
  (void)state;
  return folder_make(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
  (void)state;
  return folder_remove();
}

int main(int count, char **arguments)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_counts_are_exact),
      cmocka_unit_test(estimates_are_unbiased),
      cmocka_unit_test(blocks_that_come_and_go_are_sampled_as_often),
      cmocka_unit_test(samples_stay_until_they_are_freed),
      cmocka_unit_test(who_keeps_sparse_pages_is_named),
      cmocka_unit_test(exact_mode_takes_at_most_64_bytes_a_block),
      cmocka_unit_test(a_profile_is_written_at_the_exit),
      cmocka_unit_test(a_profile_is_written_at_a_signal),
      cmocka_unit_test(a_profile_is_written_with_growth),
      cmocka_unit_test(a_forks_child_writes_its_own),
      cmocka_unit_test(a_file_that_cannot_be_written_is_told),
      cmocka_unit_test(modes_change_while_all_goes_on),
  };
  if (count > 1) return act(arguments[1]);
  if (TEST_IS_HARDENED) return test_cannot_run("the hardened build remembers no stacks");
  return cmocka_run_group_tests(tests, make_folder, remove_folder) == 0 ? TEST_PASS : TEST_FAIL;
}
