// SPDX-License-Identifier: MIT
//
// The lines of resident memory: they add up, none is larger than the whole, and the whole grows by
// what a second process sees this one grow by, within 1 %, whatever the program does. Sanitizers
// and Valgrind have memory of their own for each block: under them that is printed and not judged.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/resident.h"
#include "mend/handle.h"
#include "mend/secure.h"
#include "mend/stats.h"
#include "mend/track.h"

enum { BLOCKS = 40000 };
#define LARGE (200 * MIB)
// What else may come and go meanwhile: stacks, the C library, the descriptors' first pages.
#define SLACK (512 * KIB)

static unsigned char *blocks[BLOCKS];

static size_t size_of(size_t i)
{
  return 1 + i * 7919 % (i % 100 == 0 ? 200000 : i % 10 == 0 ? 20000 : 1500);
}

// What every answer has in common.
static struct mend_resident lines_now(void)
{
  struct mend_resident lines = {.bytes = sizeof lines};
  assert_true(mend_resident_get(&lines));
  assert_int_equal(lines.bytes, sizeof lines);
  assert_int_equal(lines.version, MEND_RESIDENT_VERSION);
  const size_t parts[] = {lines.live_bytes,       lines.rounding_bytes, lines.cached_bytes,
                          lines.quarantine_bytes, lines.free_bytes,     lines.uncarved_bytes,
                          lines.rest_bytes,       lines.retained_bytes, lines.secret_bytes,
                          lines.handle_bytes,     lines.tracking_bytes, lines.descriptor_bytes,
                          lines.metadata_bytes};
  size_t sum = 0;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    assert_true(parts[i] <= lines.total_bytes);
    sum += parts[i];
  }
  assert_int_equal(sum, lines.total_bytes);
  return lines;
}

static struct {
  size_t seen;   // by the second process
  size_t total;  // by the library
} start;

static void judge_begin(void)
{
  start.total = lines_now().total_bytes;
  start.seen = resident_bytes();
}

// Compares the growth since then, which may be below 0.
static struct mend_resident judge(const char *what)
{
  struct mend_resident lines = lines_now();
  long seen = (long)resident_bytes() - (long)start.seen;
  long told = (long)lines.total_bytes - (long)start.total;
  long difference = told > seen ? told - seen : seen - told;
  long allowed = labs(seen) / 100 + (long)SLACK;
  bool is_judged = !test_is_instrumented() && !TEST_IS_ANNOTATED && lines.guessed == 0;
  printf("%s: grown by %ld KiB, %ld KiB by the lines%s\n", what, seen / 1024, told / 1024,
         is_judged ? "" : " (not judged under this tool)");
  fflush(stdout);
  if (is_judged) assert_true(difference <= allowed);
  return lines;
}

static void fill(void)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = mend_malloc(size_of(i));
    assert_non_null(blocks[i]);
    memset(blocks[i], 1, size_of(i));
  }
}

// Frees all but each `kept`-th block.
static void thin_out(size_t kept)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    if (kept != 0 && i % kept == 0) continue;
    mend_free(blocks[i]);
    blocks[i] = NULL;
  }
}

static void blocks_of_all_sizes(void **state)
{
  (void)state;
  judge_begin();
  fill();
  struct mend_resident full = judge("full");
  size_t asked = 0;
  for (size_t i = 0; i < BLOCKS; i++) asked += size_of(i);
  assert_true(full.live_bytes + full.rounding_bytes >= asked);
  thin_out(7);
  struct mend_resident thin = judge("six of seven freed");
  assert_true(thin.live_bytes < full.live_bytes / 2);
  size_t free = thin.free_bytes + thin.cached_bytes + thin.quarantine_bytes + thin.retained_bytes;
  // At level 4 each block has os pages of its own, which are in no line when it is freed.
  if (test_harden_level() < 4) assert_true(free + thin.returned_bytes > full.live_bytes / 4);
  mend_collect(true);
  struct mend_resident collected = judge("collected");
  assert_true(collected.retained_bytes <= thin.retained_bytes);
  thin_out(0);
  mend_collect(true);
  (void)judge("all freed");
}

static void large_blocks_count_as_far_as_they_are_touched(void **state)
{
  (void)state;
  judge_begin();
  struct mend_resident before = lines_now();
  unsigned char *large = mend_malloc(LARGE);
  assert_non_null(large);
  struct mend_resident untouched = judge("200 MiB untouched");
  if (!TEST_IS_ANNOTATED) assert_true(untouched.live_bytes < before.live_bytes + 4 * MIB);
  memset(large, 1, LARGE / 4);
  struct mend_resident touched = judge("50 MiB touched");
  assert_true(touched.live_bytes >= before.live_bytes + LARGE / 4 - 4 * MIB);
  large = mend_realloc(large, LARGE / 8);
  assert_non_null(large);
  (void)judge("25 MiB left");
  mend_free(large);
  struct mend_resident freed = judge("freed");
  assert_true(freed.live_bytes < touched.live_bytes);
}

// Pages that were only read show the kernel's page of zeros, which costs nothing.
static void what_is_read_and_never_written(void **state)
{
  (void)state;
  judge_begin();
  volatile unsigned char *zeros = mend_calloc(LARGE, 1);
  assert_non_null((const void *)zeros);
  unsigned sum = 0;
  for (size_t i = 0; i < LARGE; i += 4096) sum += zeros[i];
  assert_int_equal(sum, 0);
  struct mend_resident lines = lines_now();
  // Without PAGEMAP_SCAN such pages count.
  printf("200 MiB read: grown by %ld KiB, %ld KiB by the lines\n",
         ((long)resident_bytes() - (long)start.seen) / 1024,
         ((long)lines.total_bytes - (long)start.total) / 1024);
  mend_free((void *)(uintptr_t)zeros);
}

static void handles_secrets_and_heaps(void **state)
{
  (void)state;
  enum { OBJECTS = 50000 };
  static mend_handle handles[OBJECTS];
  memset(handles, 0xff, sizeof handles);  // so that they are there before
  judge_begin();
  for (size_t i = 0; i < OBJECTS; i++) {
    handles[i] = mend_handle_alloc(1 + i % 700);
    assert_true(mend_handle_size(handles[i]) == 1 + i % 700);
    memset(mend_resolve(handles[i]), 1, 1 + i % 700);
  }
  struct mend_resident objects = judge("objects");
  assert_true(objects.handle_bytes >= OBJECTS * 12);
  for (size_t i = 0; i < OBJECTS; i++) {
    if (i % 10 != 0) mend_handle_free(handles[i]);
  }
  (void)judge("nine of ten freed");
  mend_defragment(NULL);
  (void)judge("defragmented");
  for (size_t i = 0; i < OBJECTS; i += 10) mend_handle_free(handles[i]);
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 2000; i++) memset(mend_heap_malloc(heap, 5000), 1, 5000);
  void *large = mend_heap_malloc(heap, 10 * MIB);
  memset(large, 1, 10 * MIB);
  void *secret = mend_secure_alloc(100000, MEND_SECURE_MAY_SWAP);
  if (secret != NULL) memset(secret, 1, 100000);
  struct mend_resident with = judge("a heap and a secret");
  if (secret != NULL) assert_true(with.secret_bytes >= 100000);
  mend_secure_free(secret);
  mend_heap_destroy(heap);
  struct mend_resident after = judge("destroyed");
  assert_int_equal(after.secret_bytes, 0);
}

static void *leave_blocks(void *argument)
{
  unsigned char **mine = argument;
  for (size_t i = 0; i < 2000; i++) {
    mine[i] = mend_malloc(size_of(i));
    CHECK(mine[i] != NULL);
    memset(mine[i], 1, size_of(i));
  }
  return NULL;
}

static void threads_that_have_ended(void **state)
{
  (void)state;
  judge_begin();
  threads_run(4, leave_blocks, blocks, 2000 * sizeof blocks[0]);
  (void)judge("what threads have left");
  for (size_t i = 0; i < 8000; i++) mend_free(blocks[i]);
  mend_collect(true);
  (void)judge("freed by another");
}

static _Atomic(bool) is_over;

static void *churn(void *argument)
{
  struct random random = {(uintptr_t)argument};
  void *mine[64] = {NULL};
  while (!atomic_load(&is_over)) {
    size_t slot = random_below(&random, 64);
    mend_free(mine[slot]);
    mine[slot] = mend_malloc(random_size(&random, 300000));
  }
  for (size_t i = 0; i < 64; i++) mend_free(mine[i]);
  return NULL;
}

// What other threads do meanwhile makes figures old, but never absurd: lines_now looks.
static void it_adds_up_while_others_allocate(void **state)
{
  (void)state;
  pthread_t threads[3];
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
  }
  for (size_t i = 0; i < test_scaled(200); i++) {
    struct mend_resident lines = lines_now();
    assert_true(lines.total_bytes < GIB);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 3; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

// In the child of a fork most is shared with the parent, and resident all the same.
static void in_the_child_of_a_fork(void **state)
{
  (void)state;
  int status = 0;
  fill();
  size_t before = lines_now().total_bytes;
  fflush(NULL);
  pid_t child = test_fork();
  if (child == 0) {
    struct mend_resident lines = {.bytes = sizeof lines};
    CHECK(mend_resident_get(&lines));
    size_t more = lines.total_bytes > before ? lines.total_bytes - before : 0;
    CHECK(more < MIB && before - lines.total_bytes + more < MIB + before / 100);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  thin_out(0);
}

// For checkers a block is as large as what was asked for, and the rest of its place is a fence.
static bool are_blocks_rounded(void)
{
  return mend_good_size(33) > 33;
}

// By how much a number of blocks are larger than what was asked for.
static size_t round_up_blocks(size_t count, size_t size)
{
  size_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mend_malloc(size);
    assert_non_null(blocks[i]);
    sum += mend_good_size(size) - size;
  }
  return sum;
}

static void rounding_is_known_of_what_is_tracked(void **state)
{
  (void)state;
  assert_int_equal(lines_now().rounding_bytes, 0);
  if (!are_blocks_rounded() || !mend_profile_start(MEND_PROFILE_EXACT)) skip();  // (does not track)
  size_t before = lines_now().rounding_bytes;
  size_t expected = round_up_blocks(5000, 33) + 16 * (mend_good_size(70000) - 70000);
  for (size_t i = 5000; i < 5016; i++) blocks[i] = mend_malloc(70000);
  size_t told = lines_now().rounding_bytes - before;
  assert_true(expected >= 5000 * 7 && told == expected);
  thin_out(0);
  assert_int_equal(lines_now().rounding_bytes, before);
  mend_profile_stop();
  assert_int_equal(lines_now().rounding_bytes, 0);
}

static void rounding_is_estimated_from_samples(void **state)
{
  (void)state;
  if (!are_blocks_rounded() || !mend_profile_start(512)) skip();
  size_t expected = round_up_blocks(BLOCKS, 33);  // about 3,000 samples
  size_t told = lines_now().rounding_bytes;
  printf("rounding: %zu bytes, estimated as %zu\n", expected, told);
  assert_in_range(told, expected - expected / 8, expected + expected / 8);
  thin_out(0);
  mend_profile_stop();
}

static void a_caller_with_a_shorter_structure_gets_that_much(void **state)
{
  (void)state;
  union {
    struct mend_resident lines;
    unsigned char bytes[sizeof(struct mend_resident) + 64];
  } box;
  assert_false(mend_resident_get(NULL));
  for (size_t bytes = 0; bytes <= sizeof box; bytes += sizeof(size_t)) {
    memset(&box, 0xee, sizeof box);
    box.lines.bytes = bytes;
    bool is_filled = mend_resident_get(&box.lines);
    assert_int_equal(is_filled, bytes >= 2 * sizeof(size_t));
    assert_int_equal(box.lines.bytes, bytes);
    size_t known = bytes < sizeof(struct mend_resident) ? bytes : sizeof(struct mend_resident);
    size_t first_kept = is_filled ? known : sizeof(size_t);
    for (size_t i = first_kept; i < sizeof box; i++) assert_int_equal(box.bytes[i], 0xee);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_of_all_sizes),
      cmocka_unit_test(large_blocks_count_as_far_as_they_are_touched),
      cmocka_unit_test(what_is_read_and_never_written),
      cmocka_unit_test(handles_secrets_and_heaps),
      cmocka_unit_test(threads_that_have_ended),
      cmocka_unit_test(it_adds_up_while_others_allocate),
      cmocka_unit_test(in_the_child_of_a_fork),
      cmocka_unit_test(rounding_is_known_of_what_is_tracked),
      cmocka_unit_test(rounding_is_estimated_from_samples),
      cmocka_unit_test(a_caller_with_a_shorter_structure_gets_that_much),
  };
  resident_start();
  memset(blocks, 0xff, sizeof blocks);  // so that they are there before
  return SUITE_RUN(tests);
}
